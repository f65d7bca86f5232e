import { arn } from '../names';
import { optionalText, pick, requireText } from '../provisioner';
import type { Properties, Provisioner } from '../provisioner';
import { unless } from '../service-calls';

/** An existing resource answers ConflictException or ValidationException, by kind. */
const EXISTS = ['ConflictException', 'ValidationException', 'ResourceInUse'];

/** CloudFormation nests the definition; the API takes it as text. */
export const pipeline: Provisioner = async ({ properties }, calls) => {
  const PipelineName = requireText(properties, 'PipelineName');
  const settings = {
    PipelineName,
    PipelineDefinition: definitionText(properties['PipelineDefinition']),
    RoleArn: requireText(properties, 'RoleArn'),
    ...pick(properties, 'PipelineDisplayName', 'PipelineDescription', 'ParallelismConfiguration'),
  };
  const existing = await unless(
    ['ResourceNotFound', 'ResourceNotFoundException'],
    calls.json('sagemaker', 'DescribePipeline', { PipelineName }),
  );
  if (existing === undefined)
    await calls.json('sagemaker', 'CreatePipeline', {
      ...settings,
      ClientRequestToken: `create-${PipelineName}`.padEnd(32, '-'),
    });
  else await calls.json('sagemaker', 'UpdatePipeline', settings);
  return { physicalId: PipelineName, attributes: { Arn: arn('sagemaker', `pipeline/${PipelineName}`) } };
};

function definitionText(value: unknown): string {
  const definition = value as Properties | undefined;
  const body = definition === undefined ? undefined : optionalText(definition, 'PipelineDefinitionBody');
  if (body === undefined)
    throw new Error('PipelineDefinition.PipelineDefinitionBody is missing; a definition in S3 is not served locally');
  return body;
}

export const modelPackageGroup: Provisioner = async ({ properties }, calls) => {
  const ModelPackageGroupName = requireText(properties, 'ModelPackageGroupName');
  const settings = { ModelPackageGroupName, ...pick(properties, 'ModelPackageGroupDescription') };
  await unless(EXISTS, calls.json('sagemaker', 'CreateModelPackageGroup', settings));
  const ModelPackageGroupArn = arn('sagemaker', `model-package-group/${ModelPackageGroupName}`);
  return {
    physicalId: ModelPackageGroupArn,
    attributes: { ModelPackageGroupArn, ModelPackageGroupStatus: 'Completed' },
  };
};
