import { Arg, Ctx, Mutation, Resolver } from 'type-graphql';
import { RequestContext } from '../../platform/context.js';
import { outcomeOf } from '../../platform/errors/user-error.js';
import { VisibleTo } from '../../platform/visibility/visible-to.js';
import type { AbsenceService } from './absence.service.js';
import {
  AbsencePayload,
  AvailabilityRulePayload,
  CreateAbsenceInput,
  CreateAbsenceResult,
  CreateAvailabilityRuleInput,
  CreateAvailabilityRuleResult,
  DeleteAbsenceInput,
  DeleteAbsencePayload,
  DeleteAbsenceResult,
  DeleteAvailabilityRuleInput,
  DeleteAvailabilityRulePayload,
  DeleteAvailabilityRuleResult,
  GenerateAvailabilitiesInput,
  SetAvailabilityInput,
  SetAvailabilityPayload,
  SetAvailabilityResult,
  SetHolidaysInput,
  SetHolidaysPayload,
  SetHolidaysResult,
  UpdateAbsenceInput,
  UpdateAbsenceResult,
  UpdateAvailabilityRuleInput,
  UpdateAvailabilityRuleResult,
} from './availability.input.js';
import type { HolidayService } from './holiday.service.js';
import type { IndividualAvailabilityService } from './individual.service.js';
import type { RuleService } from './rule.service.js';

/** Wiring of what changes availability: guides their own, staff that of the guides of their house. */
@Resolver()
export class AvailabilityChangesResolver {
  constructor(
    private readonly rules: RuleService,
    private readonly individual: IndividualAvailabilityService,
    private readonly absences: AbsenceService,
    private readonly holidays: HolidayService,
  ) {}

  @Mutation(() => CreateAvailabilityRuleResult, { description: 'Makes a rule by which a guide is available again and again. It is shared with the houses he is coupled in.' })
  @VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
  createAvailabilityRule(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => CreateAvailabilityRuleInput, { description: 'The rule.' }) input: CreateAvailabilityRuleInput,
  ): Promise<typeof CreateAvailabilityRuleResult> {
    return outcomeOf(async () => Object.assign(new AvailabilityRulePayload(), { rule: await this.rules.create(ctx, input) })) as Promise<typeof CreateAvailabilityRuleResult>;
  }

  @Mutation(() => UpdateAvailabilityRuleResult, { description: 'Changes a rule, wherever it was made. The last change wins in all houses.' })
  @VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
  updateAvailabilityRule(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => UpdateAvailabilityRuleInput, { description: 'The changes.' }) input: UpdateAvailabilityRuleInput,
  ): Promise<typeof UpdateAvailabilityRuleResult> {
    return outcomeOf(async () => Object.assign(new AvailabilityRulePayload(), { rule: await this.rules.update(ctx, input) })) as Promise<typeof UpdateAvailabilityRuleResult>;
  }

  @Mutation(() => DeleteAvailabilityRuleResult, { description: 'Removes a rule, wherever it was made, in all houses.' })
  @VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
  deleteAvailabilityRule(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => DeleteAvailabilityRuleInput, { description: 'Which one.' }) input: DeleteAvailabilityRuleInput,
  ): Promise<typeof DeleteAvailabilityRuleResult> {
    return outcomeOf(async () => Object.assign(new DeleteAvailabilityRulePayload(), { deletedRuleId: await this.rules.delete(ctx, input) })) as Promise<typeof DeleteAvailabilityRuleResult>;
  }

  @Mutation(() => SetAvailabilityResult, { description: 'Sets by hand whether a guide is available at a time in this house, or leaves it to his rules again.' })
  @VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
  setAvailability(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => SetAvailabilityInput, { description: 'When and to what.' }) input: SetAvailabilityInput,
  ): Promise<typeof SetAvailabilityResult> {
    return outcomeOf(async () => Object.assign(new SetAvailabilityPayload(), await this.individual.set(ctx, input))) as Promise<typeof SetAvailabilityResult>;
  }

  @Mutation(() => SetAvailabilityResult, { description: 'The same for certain weekdays and times of a season. Unlike a rule, each day stands for itself from then on.' })
  @VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
  generateAvailabilities(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => GenerateAvailabilitiesInput, { description: 'When and to what.' }) input: GenerateAvailabilitiesInput,
  ): Promise<typeof SetAvailabilityResult> {
    return outcomeOf(async () => Object.assign(new SetAvailabilityPayload(), await this.individual.generate(ctx, input))) as Promise<typeof SetAvailabilityResult>;
  }

  @Mutation(() => CreateAbsenceResult, { description: 'A guide is going to be away. Bookings he has are not touched.' })
  @VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
  createAbsence(@Ctx() ctx: RequestContext, @Arg('input', () => CreateAbsenceInput, { description: 'The absence.' }) input: CreateAbsenceInput): Promise<typeof CreateAbsenceResult> {
    return outcomeOf(async () => Object.assign(new AbsencePayload(), { absence: await this.absences.create(ctx, input) })) as Promise<typeof CreateAbsenceResult>;
  }

  @Mutation(() => UpdateAbsenceResult, { description: 'Changes an absence.' })
  @VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
  updateAbsence(@Ctx() ctx: RequestContext, @Arg('input', () => UpdateAbsenceInput, { description: 'The changes.' }) input: UpdateAbsenceInput): Promise<typeof UpdateAbsenceResult> {
    return outcomeOf(async () => Object.assign(new AbsencePayload(), { absence: await this.absences.update(ctx, input) })) as Promise<typeof UpdateAbsenceResult>;
  }

  @Mutation(() => DeleteAbsenceResult, { description: 'Removes an absence.' })
  @VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
  deleteAbsence(@Ctx() ctx: RequestContext, @Arg('input', () => DeleteAbsenceInput, { description: 'Which one.' }) input: DeleteAbsenceInput): Promise<typeof DeleteAbsenceResult> {
    return outcomeOf(async () => Object.assign(new DeleteAbsencePayload(), { deletedAbsenceId: await this.absences.delete(ctx, input) })) as Promise<typeof DeleteAbsenceResult>;
  }

  @Mutation(() => SetHolidaysResult, { description: 'Sets the holidays of one year. Rules made in this house that skip holidays follow, in all houses.' })
  @VisibleTo('STAFF', 'ADMINISTRATOR')
  setHolidays(@Ctx() ctx: RequestContext, @Arg('input', () => SetHolidaysInput, { description: 'The year and its holidays.' }) input: SetHolidaysInput): Promise<typeof SetHolidaysResult> {
    return outcomeOf(async () => Object.assign(new SetHolidaysPayload(), { holidays: await this.holidays.set(ctx, input) })) as Promise<typeof SetHolidaysResult>;
  }
}
