import { registerEnumType } from 'type-graphql';

/** For whom a tour is made; stored by these codes. */
export enum AgeGroup {
  CHILDREN = 'CHILDREN',
  YOUTH = 'YOUTH',
  ADULTS = 'ADULTS',
  SENIORS = 'SENIORS',
}
registerEnumType(AgeGroup, {
  name: 'AgeGroup',
  description: 'For whom a tour is made. Where the line between two groups lies is the house’s own usage.',
  valuesConfig: {
    CHILDREN: { description: 'Children.' },
    YOUTH: { description: 'Young people.' },
    ADULTS: { description: 'Adults.' },
    SENIORS: { description: 'Elderly people.' },
  },
});

/** Each once, in the order of the list above, however they were given. */
export const distinctAgeGroups = (given: readonly AgeGroup[]): AgeGroup[] => Object.values(AgeGroup).filter((group) => given.includes(group));
