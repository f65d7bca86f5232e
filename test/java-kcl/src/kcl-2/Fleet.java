import software.amazon.kinesis.coordinator.CoordinatorConfig;
import software.amazon.kinesis.leases.LeaseManagementConfig;

/** How the worker comes by its leases: a KCL 2 has one way only. */
final class Fleet {
  static CoordinatorConfig configure(CoordinatorConfig config) {
    return config;
  }

  static LeaseManagementConfig configure(LeaseManagementConfig config) {
    return config;
  }

  private Fleet() {}
}
