import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InstanceSecret } from '../instance-server/platform/crypto.js';
import { startEmbeddedPostgres } from './postgres/embedded.js';
import { createDatabaseAndRoles, migrate, ownerOrm } from './setup/provision.js';

/** What the ORM cannot express and so would drop: partial and expression indexes, views, triggers, the job queue. Each by its name. */
const KNOWN_TO_MIGRATIONS_ALONE: readonly RegExp[] = [
  /^drop (view|table|schema) if exists "graphile_worker"/,
  /^drop view if exists "partner_assignment" cascade;$/,
  /^drop index "guide_request_open(_guide)?";$/,
  /^drop trigger if exists "(booking_to_requests|request_withdrawal_logged|request_told_(insert|update))" on "(booking|guide_request)";$/,
  /^drop function if exists "(booking_booking_to_requests_fn|booking_to_requests|guide_request_request_withdrawal_logged_fn|request_withdrawal_logged|guide_request_request_told_(insert|update)_fn|request_told)"\(\);$/,
  /^drop index "(link_living_partner|coupling_living_guide|guide_assignment_(open_booking|time)|settings_single_row|claim_in_conflict|foreign_booking_disputed)";$/,
  /^alter table "guide_assignment" drop constraint "guide_assignment_no_overlap";$/,
  /^alter table "(availability_rule|individual_availability|absence)" drop constraint "(availability_rule_bounds|individual_availability_(no_overlap|interval)|absence_interval)";$/,
  /^alter table "(foreign_booking|sync_state)" drop constraint "(foreign_booking_interval|sync_state_single_row)";$/,
  /^drop trigger if exists "(coupling_to_outbox_(insert|update)|link_to_sync_peer|coupling_to_lost_bookings)" on "(coupling|link)";$/,
  /^drop function if exists "(coupling_coupling_to_outbox_(insert|update)|link_link_to_sync_peer|coupling_coupling_to_lost_bookings)_fn"\(\);$/,
  /^drop function if exists "(outbox_fill_coupling|outbox_records_assignment|coupling_to_lost_bookings|release_lost_booking|outrun_assignment|coupling_to_outbox|link_to_sync_peer)"\([a-z ,[\]]*\);$/,
  /^drop trigger if exists "(offer_title_to_assignments|assignment_to_outbox_(insert|update))" on "(offer|guide_assignment)";$/,
  /^drop trigger if exists "(coupling_state_to_outbox|coupling_purge|link_purge)" on "(coupling|link)";$/,
  /^drop function if exists "(coupling_coupling_state_to_outbox|coupling_coupling_purge|link_link_purge)_fn"\(\);$/,
  /^drop function if exists "(coupling_(not_)?to_tell|forget_buried_couplings|coupling_state_to_outbox|outbox_records_coupling|coupling_purge|link_purge|link_health)"\([a-z ,[\]]*\);$/,
  /^drop function if exists "(offer_offer_title_to_assignments|guide_assignment_assignment_to_outbox_(insert|update))_fn"\(\);$/,
  /^drop function if exists "(calendar_entry|calendar_of_guides?|profile_of_guide|enqueue_job|foreign_times|foreign_bookings?_of_guide|outbox_(put|due)|assignment_to_outbox|offer_title_to_assignments)"\([a-z ,[\]]+\);$/,
  // Profiles and rules, by last writer.
  /^alter table "guide" drop constraint "guide_bank_data_whole";$/,
  /^drop trigger if exists "(shared_bank_data_to_outbox|rule_to_outbox|coupling_leaves|coupling_vouches_(insert|update)|profile_stamp_to_outbox_(insert|update))" on "(guide|availability_rule|coupling|profile_stamp)";$/,
  /^drop function if exists "(guide_shared_bank_data_to_outbox|availability_rule_rule_to_outbox|coupling_coupling_(leaves|vouches_(insert|update))|profile_stamp_profile_stamp_to_outbox_(insert|update))_fn"\(\);$/,
  /^drop function if exists "(adopt_values|coupled_profiles|give_back_rules|merge_profile|outbox_records_(profile|rule)|profile_logged|profile_of|profile_to_outbox|stamp_adopted|stamp_code)"\([a-z ,[\]]+\);$/,
  /^drop trigger if exists "block_title_to_assignments" on "settings";$/,
  /^drop function if exists "(settings_block_title_to_assignments_fn|block_title_to_assignments|foreign_bookings_of_id)"\([a-z ,[\]]*\);$/,
  /^alter table "(claim|settings)" drop constraint "(claim_no_overlap|claim_interval|settings_unreachable_keeper)";$/,
  /^drop trigger if exists "(assignment_verification_(insert|update)|assignment_to_claim_(insert|update)|claims_of_coupling_(insert|update)|foreign_booking_to_claim)" on "(guide_assignment|coupling|foreign_booking)";$/,
  /^drop function if exists "(guide_assignment_assignment_verification_(insert|update)|guide_assignment_assignment_to_claim_(insert|update)|coupling_claims_of_coupling_(insert|update)|foreign_booking_foreign_booking_to_claim)_fn"\(\);$/,
  /^drop function if exists "(claims?_(standing|put|tell|is_taken|promote|apply|refresh|keeper_set|dispute|again|outrun|put_off)|assignment_(verification|to_claim)|coupling_to_claims|foreign_booking_to_claim|guide_conflicts|outbox_records_(claim|keeper|dispute))"\([a-z_ ,[\]]*\);$/,
];

/**
 * Runs every migration on an empty database, then compares what stands there with the table definitions in the code: nothing may be
 * left to generate. A second run must change nothing.
 */
async function main(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'lotse-migrations-'));
  const server = await startEmbeddedPostgres({ dataDirectory: join(folder, 'data'), durable: false, temporary: true });
  try {
    const secret = new InstanceSecret('a secret for a database that lives for a minute');
    const url = await createDatabaseAndRoles(server.adminUrl, 'migrations_check', secret);
    const applied = await migrate(url, secret);
    const again = await migrate(url, secret);
    if (again.length > 0) throw new Error(`a second run applied ${again.join(', ')}`);
    const orm = await ownerOrm(url, secret);
    try {
      const difference = await orm.schema.getUpdateSchemaSQL({ wrap: false, safe: false });
      const statements = difference
        .split('\n')
        .map((line) => line.trim())
        .filter((line) => line && !KNOWN_TO_MIGRATIONS_ALONE.some((known) => known.test(line)));
      if (statements.length > 0) throw new Error(`migrations and table definitions differ:\n${statements.join('\n')}`);
    } finally {
      await orm.close(true);
    }
    console.log(`${applied.length} migrations, and the tables they make are those of the code.`);
  } finally {
    await server.stop('immediate');
    await rm(folder, { recursive: true, force: true });
  }
}

await main();
