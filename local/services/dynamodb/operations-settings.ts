/** Time to live, point-in-time recovery, tags. */
import { AwsError } from '../../gateway/service';
import { invalid } from './attribute-value';
import { integer, list, structure, tableNameOf } from './state';
import type { DynamoDbState, Input, Operation, Operations } from './state';
import { readTags } from './table-definition';
import type { Table } from './table';

/** @throws AwsError TableNotFoundException, under which name these operations report it. */
function findForBackups(state: DynamoDbState, input: Input): Table {
  const name = tableNameOf(input['TableName']);
  if (!state.tables.has(name)) throw new AwsError('TableNotFoundException', `Table not found: ${name}`);
  return state.namedTable(name);
}

const updateTimeToLive: Operation = (state, input) => {
  const { settings } = state.namedTable(tableNameOf(input['TableName']));
  const specification = structure(input['TimeToLiveSpecification'], 'TimeToLiveSpecification');
  const { Enabled, AttributeName } = specification;
  if (typeof AttributeName !== 'string' || AttributeName === '' || typeof Enabled !== 'boolean') {
    throw invalid('TimeToLiveSpecification must have Enabled and AttributeName');
  }
  if (Enabled === (settings.timeToLiveAttribute !== undefined))
    throw invalid(`TimeToLive is already ${Enabled ? 'enabled' : 'disabled'}`);
  state.saveTable({ ...settings, timeToLiveAttribute: Enabled ? AttributeName : undefined });
  return { TimeToLiveSpecification: { Enabled, AttributeName } };
};

/** Items are kept past their time, as on AWS, where an expired item goes within days. */
const describeTimeToLive: Operation = (state, input) => {
  const { timeToLiveAttribute } = state.namedTable(tableNameOf(input['TableName'])).settings;
  return {
    TimeToLiveDescription:
      timeToLiveAttribute === undefined
        ? { TimeToLiveStatus: 'DISABLED' }
        : { TimeToLiveStatus: 'ENABLED', AttributeName: timeToLiveAttribute },
  };
};

function describeBackups(state: DynamoDbState, { settings }: Table): unknown {
  const recovery = settings.pointInTimeRecovery;
  return {
    ContinuousBackupsDescription: {
      ContinuousBackupsStatus: 'ENABLED',
      PointInTimeRecoveryDescription:
        recovery === undefined
          ? { PointInTimeRecoveryStatus: 'DISABLED' }
          : {
              PointInTimeRecoveryStatus: 'ENABLED',
              RecoveryPeriodInDays: recovery.days,
              EarliestRestorableDateTime: recovery.enabledAt / 1_000,
              LatestRestorableDateTime: state.clock.now() / 1_000,
            },
    },
  };
}

const updateContinuousBackups: Operation = (state, input) => {
  const table = findForBackups(state, input);
  const specification = structure(input['PointInTimeRecoverySpecification'], 'PointInTimeRecoverySpecification');
  const days = integer(specification, 'RecoveryPeriodInDays', 1, 35) ?? 35;
  const enabledAt = table.settings.pointInTimeRecovery?.enabledAt ?? state.clock.now();
  const enabled = specification['PointInTimeRecoveryEnabled'] === true;
  state.saveTable({ ...table.settings, pointInTimeRecovery: enabled ? { enabledAt, days } : undefined });
  return describeBackups(state, table);
};

const describeContinuousBackups: Operation = (state, input) => describeBackups(state, findForBackups(state, input));

function tagged(state: DynamoDbState, input: Input): Table {
  const arn = input['ResourceArn'];
  if (typeof arn !== 'string' || !arn.startsWith('arn:')) throw invalid(`Invalid TableArn: ${String(arn)}`);
  return state.namedTable(tableNameOf(arn));
}

const tagResource: Operation = (state, input) => {
  const { settings } = tagged(state, input);
  state.saveTable({ ...settings, tags: { ...settings.tags, ...readTags(input['Tags']) } });
  return {};
};

const untagResource: Operation = (state, input) => {
  const { settings } = tagged(state, input);
  const keys = list(input['TagKeys'], 'TagKeys');
  state.saveTable({
    ...settings,
    tags: Object.fromEntries(Object.entries(settings.tags).filter(([key]) => !keys.includes(key))),
  });
  return {};
};

const listTagsOfResource: Operation = (state, input) => ({
  Tags: Object.entries(tagged(state, input).settings.tags).map(([Key, Value]) => ({ Key, Value })),
});

export const settingsOperations: Operations = {
  UpdateTimeToLive: updateTimeToLive,
  DescribeTimeToLive: describeTimeToLive,
  UpdateContinuousBackups: updateContinuousBackups,
  DescribeContinuousBackups: describeContinuousBackups,
  TagResource: tagResource,
  UntagResource: untagResource,
  ListTagsOfResource: listTagsOfResource,
};
