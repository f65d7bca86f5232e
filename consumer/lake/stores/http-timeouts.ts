/**
 * Of clients whose callers set no limit of their own, milliseconds. The SDK waits for ever for S3 and five minutes for
 * DynamoDB: a connection that fell silent would hold up its shard, or the fold, for as long. A request that is given up
 * is tried again over another connection; that the first may have arrived is nothing new to the protocol.
 * `socketTimeout` limits silence, so a large object may take longer.
 * @see https://docs.aws.amazon.com/AWSJavaScriptSDK/v3/latest/Package/-smithy-node-http-handler/Interface/NodeHttpHandlerOptions
 */
export const HTTP_TIMEOUTS = { connectionTimeout: 3_000, socketTimeout: 15_000 } as const;
