import { Match, Template } from 'aws-cdk-lib/assertions';
import { loadConfig } from '../../lib/config/environments';
import { buildStage, synthesize } from '../stacks/support/synthesize';

describe('IotAccountSettings', () => {
  test('an environment leaves the account alone', () => {
    expect(synthesize('prod').stage.iotAccount).toBeUndefined();
  });

  test('where it is told to, it logs faults for as long as other logs are kept, and audits certificates and policies daily', () => {
    const { stage } = buildStage({ ...loadConfig('prod'), iotAccount: { logLevel: 'ERROR' } });
    const template = Template.fromStack(stage.iotAccount!);
    template.hasResourceProperties('AWS::Logs::LogGroup', { LogGroupName: 'AWSIotLogsV2', RetentionInDays: 90 });
    template.hasResourceProperties('AWS::IoT::Logging', {
      AccountId: { Ref: 'AWS::AccountId' },
      DefaultLogLevel: 'ERROR',
    });
    const [audit] = Object.values(template.findResources('AWS::IoT::AccountAuditConfiguration'));
    const enabled = Object.keys(audit!.Properties.AuditCheckConfigurations);
    // The two lists are the same checks under CloudFormation's and the API's names.
    const names = enabled.map((name) => name.replace(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase());
    template.hasResourceProperties('AWS::IoT::ScheduledAudit', { Frequency: 'DAILY', TargetCheckNames: names });
    expect(names).toContain('DEVICE_CERTIFICATE_SHARED_CHECK');
  });
});

describe('FleetProvisioning', () => {
  test('there is none where nothing is said', () => {
    synthesize('prod').templates.get('Ingest')!.resourceCountIs('AWS::IoT::ProvisioningTemplate', 0);
  });

  test('a claim can only ask to be exchanged, and a hook decides; the device gets the device policy', () => {
    const { stage } = buildStage({ ...loadConfig('prod'), provisionByClaim: true });
    const template = Template.fromStack(stage.ingest);
    const [provisioning] = Object.values(template.findResources('AWS::IoT::ProvisioningTemplate'));
    const { PreProvisioningHook, TemplateBody, TemplateName } = provisioning!.Properties;
    expect(TemplateName).toBe('telemetry_prod');
    expect(PreProvisioningHook).toMatchObject({ TargetArn: { 'Fn::GetAtt': [expect.stringMatching(/Hook/), 'Arn'] } });
    expect(JSON.stringify(TemplateBody)).toContain('{"Ref":"DevicesPolicy');
    template.hasResourceProperties('AWS::Lambda::Permission', {
      Principal: 'iot.amazonaws.com',
      SourceArn: {
        'Fn::Join': ['', Match.arrayWith([Match.stringLikeRegexp(':provisioningtemplate/telemetry_prod$')])],
      },
    });
    const claim = Object.entries(template.findResources('AWS::IoT::Policy')).find(([id]) => id.includes('ClaimPolicy'));
    const resources = JSON.stringify(claim![1].Properties.PolicyDocument).match(/:(client|topic|topicfilter)\/[^"]+/g);
    expect([...new Set(resources)].sort()).toEqual([
      ':client/claim-*',
      ':topic/$aws/certificates/create/*',
      ':topic/$aws/provisioning-templates/telemetry_prod/provision/*',
      ':topicfilter/$aws/certificates/create/*',
      ':topicfilter/$aws/provisioning-templates/telemetry_prod/provision/*',
    ]);
  });
});
