import java.io.FileWriter;
import java.io.IOException;
import java.io.Writer;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;
import software.amazon.awssdk.auth.credentials.EnvironmentVariableCredentialsProvider;
import software.amazon.awssdk.http.Protocol;
import software.amazon.awssdk.http.nio.netty.NettyNioAsyncHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.cloudwatch.CloudWatchAsyncClient;
import software.amazon.awssdk.services.dynamodb.DynamoDbAsyncClient;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.kinesis.common.ConfigsBuilder;
import software.amazon.kinesis.common.InitialPositionInStream;
import software.amazon.kinesis.common.InitialPositionInStreamExtended;
import software.amazon.kinesis.coordinator.CoordinatorConfig.ClientVersionConfig;
import software.amazon.kinesis.coordinator.Scheduler;
import software.amazon.kinesis.lifecycle.events.InitializationInput;
import software.amazon.kinesis.lifecycle.events.LeaseLostInput;
import software.amazon.kinesis.lifecycle.events.ProcessRecordsInput;
import software.amazon.kinesis.lifecycle.events.ShardEndedInput;
import software.amazon.kinesis.lifecycle.events.ShutdownRequestedInput;
import software.amazon.kinesis.metrics.NullMetricsFactory;
import software.amazon.kinesis.processor.RecordProcessorCheckpointer;
import software.amazon.kinesis.processor.ShardRecordProcessor;
import software.amazon.kinesis.processor.SingleStreamTracker;
import software.amazon.kinesis.retrieval.KinesisClientRecord;
import software.amazon.kinesis.retrieval.polling.PollingConfig;

/**
 * A worker of the Java KCL. It appends a line for every call of its record processors to the file WORKER_OUTPUT:
 * {@code <epoch ms> <event> <shard id> <detail>}. SIGTERM is a graceful shutdown, as KCL does it.
 */
public final class Worker {
  private static Writer output;

  private static String env(String name) {
    String value = System.getenv(name);
    if (value == null) throw new IllegalArgumentException("The environment variable " + name + " is missing");
    return value;
  }

  private static synchronized void note(String event, String shardId, String detail) {
    try {
      output.write(System.currentTimeMillis() + " " + event + " " + shardId + " " + detail + "\n");
      output.flush();
    } catch (IOException error) {
      throw new IllegalStateException(error);
    }
  }

  private static final class Processor implements ShardRecordProcessor {
    private String shardId;

    @Override
    public void initialize(InitializationInput input) {
      shardId = input.shardId();
      note("initialize", shardId, input.extendedSequenceNumber().sequenceNumber());
    }

    @Override
    public void processRecords(ProcessRecordsInput input) {
      for (KinesisClientRecord record : input.records()) {
        note("record", shardId, StandardCharsets.UTF_8.decode(record.data()).toString());
      }
      checkpoint(input.checkpointer());
    }

    @Override
    public void leaseLost(LeaseLostInput input) {
      note("leaseLost", shardId, "-");
    }

    @Override
    public void shardEnded(ShardEndedInput input) {
      note("shardEnded", shardId, "-");
      checkpoint(input.checkpointer());
    }

    @Override
    public void shutdownRequested(ShutdownRequestedInput input) {
      note("shutdownRequested", shardId, "-");
      checkpoint(input.checkpointer());
    }

    private void checkpoint(RecordProcessorCheckpointer checkpointer) {
      try {
        checkpointer.checkpoint();
      } catch (Exception error) {
        note("checkpointFailed", shardId, error.getClass().getSimpleName());
      }
    }
  }

  public static void main(String[] args) throws Exception {
    output = new FileWriter(env("WORKER_OUTPUT"), StandardCharsets.UTF_8, true);
    URI endpoint = URI.create(env("AWS_ENDPOINT_URL"));
    Region region = Region.of(env("AWS_REGION"));
    EnvironmentVariableCredentialsProvider credentials = EnvironmentVariableCredentialsProvider.create();
    KinesisAsyncClient kinesis =
        KinesisAsyncClient.builder()
            .endpointOverride(endpoint)
            .region(region)
            .credentialsProvider(credentials)
            .httpClientBuilder(NettyNioAsyncHttpClient.builder().maxConcurrency(200).protocol(Protocol.HTTP2))
            .build();
    DynamoDbAsyncClient dynamoDb =
        DynamoDbAsyncClient.builder()
            .endpointOverride(endpoint)
            .region(region)
            .credentialsProvider(credentials)
            .httpClientBuilder(NettyNioAsyncHttpClient.builder())
            .build();
    // KCL wants a client; metrics go nowhere.
    CloudWatchAsyncClient cloudWatch =
        CloudWatchAsyncClient.builder()
            .endpointOverride(endpoint)
            .region(region)
            .credentialsProvider(credentials)
            .httpClientBuilder(NettyNioAsyncHttpClient.builder())
            .build();

    InitialPositionInStreamExtended start =
        InitialPositionInStreamExtended.newInitialPosition(InitialPositionInStream.TRIM_HORIZON);
    ConfigsBuilder configs =
        new ConfigsBuilder(
            new SingleStreamTracker(env("STREAM_NAME"), start),
            env("APPLICATION_NAME"),
            kinesis,
            dynamoDb,
            cloudWatch,
            env("WORKER_ID"),
            Processor::new);
    var retrieval = configs.retrievalConfig();
    if (env("RETRIEVAL").equals("POLLING")) {
      PollingConfig polling = new PollingConfig(env("STREAM_NAME"), kinesis);
      polling.idleTimeBetweenReadsInMillis(300);
      retrieval.retrievalSpecificConfig(polling);
    }
    var leases =
        configs
            .leaseManagementConfig()
            .failoverTimeMillis(Long.parseLong(env("FAILOVER_TIME_MILLIS")))
            .dynamoDbLockBasedLeaderLeaseDurationInMillis(Long.parseLong(env("LEADER_LEASE_MILLIS")))
            .dynamoDbLockBasedLeaderHeartbeatPeriodInMillis(Long.parseLong(env("LEADER_LEASE_MILLIS")) / 4);
    // The defaults are 30 s and so on: a test need not wait so long.
    leases.workerUtilizationAwareAssignmentConfig().workerMetricsReporterFreqInMillis(2_000);
    Scheduler scheduler =
        new Scheduler(
            configs.checkpointConfig(),
            configs
                .coordinatorConfig()
                .parentShardPollIntervalMillis(1_000)
                .clientVersionConfig(ClientVersionConfig.valueOf(env("CLIENT_VERSION_CONFIG"))),
            leases,
            configs.lifecycleConfig(),
            configs.metricsConfig().metricsFactory(new NullMetricsFactory()),
            configs.processorConfig(),
            retrieval);
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(
                () -> {
                  try {
                    scheduler.startGracefulShutdown().get(30, TimeUnit.SECONDS);
                  } catch (Exception error) {
                    note("shutdownFailed", "-", error.getClass().getSimpleName());
                  }
                  note("stopped", "-", "-");
                }));
    note("started", "-", "-");
    scheduler.run();
  }
}
