import { toInt } from '../values';
import { define } from './function';
import type { FunctionTable } from './function';

export const contextFunctions: FunctionTable = {
  accountid: define([0, 0], (_values, { environment }) => environment.accountId),
  clientid: define([0, 0], (_values, { message }) => message.clientId ?? 'n/a'),
  newuuid: define([0, 0], (_values, { environment }) => environment.uuid()),
  principal: define([0, 0], (_values, { message }) => message.principal),
  sourceip: define([0, 0], (_values, { message }) => message.sourceIp),
  sql_version: define([0, 0], () => '2016-03-23'),
  timestamp: define([0, 0], (_values, { message }) => message.received),
  topic: define([0, 1], (values, { message }) => {
    if (values.length === 0) return message.topic;
    const level = toInt(values[0]);
    return level === undefined || level < 1 ? undefined : message.topic.split('/')[level - 1];
  }),
  traceid: define([0, 0], (_values, { message }) => (message.clientId === undefined ? undefined : message.traceId)),
  // Properties of MQTT 5; this broker speaks 3.1.1, where a message has none.
  get_mqtt_property: define([1, 1], () => undefined),
  get_user_properties: define([1, 1], () => undefined),
};
