import { type Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { ManagedPolicy, PolicyStatement, Role } from 'aws-cdk-lib/aws-iam';
import { CfnAccountAuditConfiguration, CfnLogging, CfnScheduledAudit } from 'aws-cdk-lib/aws-iot';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import type { IotAccountConfig } from '../../config/schema';
import { iotService } from './iot-service';

export interface IotAccountSettingsProps extends IotAccountConfig {
  readonly logRetention: Duration;
}

/** The group that AWS IoT logs to; its name is the service's. */
const LOG_GROUP = 'AWSIotLogsV2';

/** Property of the audit configuration → name of the check in a scheduled audit: what concerns devices and their policy. */
const CHECKS = {
  conflictingClientIdsCheck: 'CONFLICTING_CLIENT_IDS_CHECK',
  deviceCertificateExpiringCheck: 'DEVICE_CERTIFICATE_EXPIRING_CHECK',
  deviceCertificateKeyQualityCheck: 'DEVICE_CERTIFICATE_KEY_QUALITY_CHECK',
  deviceCertificateSharedCheck: 'DEVICE_CERTIFICATE_SHARED_CHECK',
  iotPolicyOverlyPermissiveCheck: 'IOT_POLICY_OVERLY_PERMISSIVE_CHECK',
  loggingDisabledCheck: 'LOGGING_DISABLED_CHECK',
  revokedDeviceCertificateStillActiveCheck: 'REVOKED_DEVICE_CERTIFICATE_STILL_ACTIVE_CHECK',
} as const;

/**
 * AWS IoT's logs and its daily audit. Of both an account has one set per region, which is why an environment owns them
 * only where it is told to. The logs are where a fault in a rule's SQL shows: it does not reach the error action.
 * @see https://docs.aws.amazon.com/iot/latest/developerguide/configure-logging.html
 */
export class IotAccountSettings extends Construct {
  constructor(scope: Construct, id: string, props: IotAccountSettingsProps) {
    super(scope, id);
    const { account } = Stack.of(this);

    // An account that logged before has the group already: bring it in with `cdk import`.
    const logGroup = new LogGroup(this, 'Logs', {
      logGroupName: LOG_GROUP,
      retention: props.logRetention.toDays(),
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const loggingRole = new Role(this, 'LoggingRole', { assumedBy: iotService(this) });
    loggingRole.addToPolicy(
      new PolicyStatement({
        actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
        resources: [logGroup.logGroupArn],
      }),
    );
    const logging = new CfnLogging(this, 'Logging', {
      accountId: account,
      defaultLogLevel: props.logLevel,
      roleArn: loggingRole.roleArn,
    });
    logging.node.addDependency(logGroup, loggingRole);

    const auditRole = new Role(this, 'AuditRole', {
      assumedBy: iotService(this),
      managedPolicies: [ManagedPolicy.fromAwsManagedPolicyName('service-role/AWSIoTDeviceDefenderAudit')],
    });
    const audit = new CfnAccountAuditConfiguration(this, 'Audit', {
      accountId: account,
      roleArn: auditRole.roleArn,
      auditCheckConfigurations: Object.fromEntries(Object.keys(CHECKS).map((check) => [check, { enabled: true }])),
    });
    // A check can be scheduled once it is enabled.
    new CfnScheduledAudit(this, 'DailyAudit', {
      frequency: 'DAILY',
      targetCheckNames: Object.values(CHECKS),
    }).addResourceDependency(audit);
  }
}
