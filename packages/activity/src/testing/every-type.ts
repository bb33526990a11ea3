/** Every type of the reference, so that the compiler says which one is not there. */
export type {
  ActivityDefinitionOptions,
  ActivityFunction,
  ActivityInterface,
  ActivityTypeInfoMap,
  Info,
  UntypedActivities,
} from '..';
