import java.io.FileWriter;
import java.io.IOException;
import java.io.Writer;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.List;
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
 * A worker of the Java KCL, of whatever version it is compiled with. It appends a line for every call of its record processors
 * to the file WORKER_OUTPUT: {@code <epoch ms> <event> <shard id> <sequence number> <detail>}. A record whose data begin with
 * "prepare" is only prepared as a checkpoint, not committed. SIGTERM is a graceful shutdown, as KCL does it.
 */
public final class Worker {
  private static Writer output;

  static String env(String name) {
    String value = System.getenv(name);
    if (value == null) throw new IllegalArgumentException("The environment variable " + name + " is missing");
    return value;
  }

  private static synchronized void note(String event, String shardId, String sequenceNumber, String detail) {
    try {
      output.write(
          System.currentTimeMillis() + " " + event + " " + shardId + " " + sequenceNumber + " " + detail + "\n");
      output.flush();
    } catch (IOException error) {
      throw new IllegalStateException(error);
    }
  }

  private static final class Processor implements ShardRecordProcessor {
    private String shardId;
    private String last = "-";
    private boolean prepared;

    private interface Write {
      void run() throws Exception;
    }

    @Override
    public void initialize(InitializationInput input) {
      shardId = input.shardId();
      var pending = input.pendingCheckpointSequenceNumber();
      byte[] state = input.pendingCheckpointState();
      note(
          "initialize",
          shardId,
          input.extendedSequenceNumber().sequenceNumber(),
          pending == null
              ? "-"
              : pending.sequenceNumber()
                  + "/"
                  + (state == null ? "-" : new String(state, StandardCharsets.UTF_8)));
    }

    @Override
    public void processRecords(ProcessRecordsInput input) {
      List<KinesisClientRecord> records = input.records();
      if (records.isEmpty()) return;
      String text = "";
      for (KinesisClientRecord record : records) {
        text = StandardCharsets.UTF_8.decode(record.data()).toString();
        last = record.sequenceNumber();
        note("record", shardId, last, text);
      }
      prepared = text.startsWith("prepare");
      byte[] state = text.getBytes(StandardCharsets.UTF_8);
      RecordProcessorCheckpointer checkpointer = input.checkpointer();
      if (prepared) attempt("prepare", last, () -> checkpointer.prepareCheckpoint(state));
      else attempt("checkpoint", last, checkpointer::checkpoint);
    }

    @Override
    public void leaseLost(LeaseLostInput input) {
      note("leaseLost", shardId, "-", "-");
    }

    @Override
    public void shardEnded(ShardEndedInput input) {
      note("shardEnded", shardId, "-", "-");
      attempt("checkpoint", "SHARD_END", input.checkpointer()::checkpoint);
    }

    @Override
    public void shutdownRequested(ShutdownRequestedInput input) {
      note("shutdownRequested", shardId, "-", "-");
      if (!prepared) attempt("checkpoint", last, input.checkpointer()::checkpoint);
    }

    private void attempt(String what, String sequenceNumber, Write write) {
      try {
        write.run();
        note(what, shardId, sequenceNumber, "-");
      } catch (Exception error) {
        note("checkpointFailed", shardId, sequenceNumber, error.getClass().getSimpleName());
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
            .endpointOverride(URI.create(env("AWS_ENDPOINT_URL_DYNAMODB")))
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
    long failoverTime = Long.parseLong(env("FAILOVER_TIME_MILLIS"));
    Scheduler scheduler =
        new Scheduler(
            configs.checkpointConfig(),
            Fleet.configure(configs.coordinatorConfig().parentShardPollIntervalMillis(1_000)),
            Fleet.configure(configs.leaseManagementConfig().failoverTimeMillis(failoverTime)),
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
                    note("shutdownFailed", "-", "-", error.getClass().getSimpleName());
                  }
                  note("stopped", "-", "-", "-");
                }));
    note("started", "-", "-", "-");
    scheduler.run();
  }
}
