export { IotService } from './iot-service';
export type { IotServiceOptions } from './iot-service';
export type { RefusalLogEntry } from './mqtt-broker';
export type { RuleActions, TopicRulePayload } from './rules/rule';
export type { RuleLogEntry } from './rules/rules-engine';
