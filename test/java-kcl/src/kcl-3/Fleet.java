import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import software.amazon.kinesis.coordinator.CoordinatorConfig;
import software.amazon.kinesis.coordinator.CoordinatorConfig.ClientVersionConfig;
import software.amazon.kinesis.leases.LeaseManagementConfig;
import software.amazon.kinesis.worker.metric.OperatingRange;
import software.amazon.kinesis.worker.metric.WorkerMetric;
import software.amazon.kinesis.worker.metric.WorkerMetricType;

/** How the worker comes by its leases: by count or by a leader, who goes by the number in the file WORKER_CPU. */
final class Fleet {
  static CoordinatorConfig configure(CoordinatorConfig config) {
    return config.clientVersionConfig(ClientVersionConfig.valueOf(Worker.env("CLIENT_VERSION_CONFIG")));
  }

  static LeaseManagementConfig configure(LeaseManagementConfig config) {
    long leaderLease = Long.parseLong(Worker.env("LEADER_LEASE_MILLIS"));
    config.dynamoDbLockBasedLeaderLeaseDurationInMillis(leaderLease);
    config.dynamoDbLockBasedLeaderHeartbeatPeriodInMillis(leaderLease / 4);
    config.workerUtilizationAwareAssignmentConfig().workerMetricList(List.of(new Cpu()));
    return config;
  }

  /** The utilisation that the test asks for, in percent. */
  private static final class Cpu implements WorkerMetric {
    @Override
    public String getShortName() {
      return getWorkerMetricType().getShortName();
    }

    @Override
    public WorkerMetricValue capture() {
      try {
        double value = Double.parseDouble(Files.readString(Path.of(Worker.env("WORKER_CPU"))).trim());
        return WorkerMetricValue.builder().value(value).build();
      } catch (IOException error) {
        throw new IllegalStateException(error);
      }
    }

    @Override
    public OperatingRange getOperatingRange() {
      return OperatingRange.builder().maxUtilization(100).build();
    }

    @Override
    public WorkerMetricType getWorkerMetricType() {
      return WorkerMetricType.CPU;
    }
  }

  private Fleet() {}
}
