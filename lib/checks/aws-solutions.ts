import { type CfnResource, Stage } from 'aws-cdk-lib';
import { AwsSolutionsChecks, type IApplyRule, NagRuleCompliance, type NagRuleResult } from 'cdk-nag';
import { type Acknowledgement, acknowledgements } from './acknowledgements';

/**
 * cdk-nag's AwsSolutions pack, less the findings that acknowledgements.ts accepts. `Validations.acknowledge` takes whole
 * finding ids only, which for IAM hold logical ids of the environment at hand; patterns say what is meant, once.
 */
export class AcknowledgedAwsSolutionsChecks extends AwsSolutionsChecks {
  /** Those that accepted a finding; the others are out of date. */
  readonly used = new Set<Acknowledgement>();

  protected override applyRule(params: IApplyRule): void {
    const rule = params.ruleSuffixOverride ?? params.rule.name;
    super.applyRule({
      ...params,
      ruleSuffixOverride: rule,
      rule: (node): NagRuleResult => {
        const result = params.rule(node);
        if (Array.isArray(result)) return result.filter((finding) => !this.isAccepted(rule, node, finding));
        return result === NagRuleCompliance.NON_COMPLIANT && this.isAccepted(rule, node)
          ? NagRuleCompliance.COMPLIANT
          : result;
      },
    });
  }

  private isAccepted(rule: string, node: CfnResource, finding?: string): boolean {
    const path = node.node.path.slice((Stage.of(node)?.node.path.length ?? 0) + 1);
    const accepted = acknowledgements.filter(
      (entry) =>
        entry.rule === rule &&
        entry.resource.test(path) &&
        (finding === undefined ? entry.finding === undefined : entry.finding?.test(finding)),
    );
    for (const entry of accepted) this.used.add(entry);
    return accepted.length > 0;
  }
}
