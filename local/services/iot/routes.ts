/** AWS IoT's REST-JSON bindings: method and path of each operation, and which input members travel outside the body. */

interface Route {
  readonly method: string;
  /** One pattern per segment: a constant, or the name of the member that stands there. */
  readonly segments: readonly (string | { readonly member: string })[];
  readonly operation: string;
  /** The one member that is the whole body, where there is such a member (Smithy's httpPayload). */
  readonly body?: string;
}

/** Method, path, operation, and the member that is the whole body. */
const BINDINGS = `
POST /things/{thingName} CreateThing
GET /things/{thingName} DescribeThing
PATCH /things/{thingName} UpdateThing
GET /things ListThings
DELETE /things/{thingName} DeleteThing
PUT /things/{thingName}/principals AttachThingPrincipal
DELETE /things/{thingName}/principals DetachThingPrincipal
GET /things/{thingName}/principals ListThingPrincipals
GET /principals/things ListPrincipalThings
GET /things/{thingName}/thing-groups ListThingGroupsForThing
POST /thing-types/{thingTypeName} CreateThingType
GET /thing-types/{thingTypeName} DescribeThingType
GET /thing-types ListThingTypes
DELETE /thing-types/{thingTypeName} DeleteThingType
PUT /thing-groups/addThingToThingGroup AddThingToThingGroup
PUT /thing-groups/removeThingFromThingGroup RemoveThingFromThingGroup
POST /thing-groups/{thingGroupName} CreateThingGroup
GET /thing-groups/{thingGroupName} DescribeThingGroup
GET /thing-groups ListThingGroups
DELETE /thing-groups/{thingGroupName} DeleteThingGroup
GET /thing-groups/{thingGroupName}/things ListThingsInThingGroup
POST /keys-and-certificate CreateKeysAndCertificate
GET /certificates/{certificateId} DescribeCertificate
PUT /certificates/{certificateId} UpdateCertificate
GET /certificates ListCertificates
DELETE /certificates/{certificateId} DeleteCertificate
POST /policies/{policyName} CreatePolicy
GET /policies/{policyName} GetPolicy
DELETE /policies/{policyName} DeletePolicy
GET /policies ListPolicies
POST /policies/{policyName}/version CreatePolicyVersion
PUT /target-policies/{policyName} AttachPolicy
POST /target-policies/{policyName} DetachPolicy
POST /attached-policies/{target} ListAttachedPolicies
POST /policy-targets/{policyName} ListTargetsForPolicy
GET /endpoint DescribeEndpoint
POST /rules/{ruleName} CreateTopicRule topicRulePayload
PATCH /rules/{ruleName} ReplaceTopicRule topicRulePayload
GET /rules/{ruleName} GetTopicRule
GET /rules ListTopicRules
DELETE /rules/{ruleName} DeleteTopicRule
POST /rules/{ruleName}/enable EnableTopicRule
POST /rules/{ruleName}/disable DisableTopicRule
POST /provisioning-templates CreateProvisioningTemplate
GET /provisioning-templates/{templateName} DescribeProvisioningTemplate
PATCH /provisioning-templates/{templateName} UpdateProvisioningTemplate
DELETE /provisioning-templates/{templateName} DeleteProvisioningTemplate
GET /provisioning-templates ListProvisioningTemplates`;

const ROUTES: readonly Route[] = BINDINGS.trim()
  .split('\n')
  .map((line) => {
    const [method, path, operation, body] = line.split(' ') as [string, string, string, string?];
    const segments = path
      .slice(1)
      .split('/')
      .map((segment) => (segment.startsWith('{') ? { member: segment.slice(1, -1) } : segment));
    return { method, segments, operation, body };
  });

/** The operation and the members in its path, or undefined where no operation has the binding. */
export function findRoute(
  method: string,
  path: string,
): { readonly operation: string; readonly members: Record<string, string>; readonly body?: string } | undefined {
  const actual = path.slice(1).split('/');
  for (const route of ROUTES) {
    if (route.method !== method || route.segments.length !== actual.length) continue;
    const members: Record<string, string> = {};
    const matches = route.segments.every((segment, index) => {
      if (typeof segment === 'string') return segment === actual[index];
      members[segment.member] = decodeURIComponent(actual[index]!);
      return true;
    });
    if (matches) return { operation: route.operation, members, body: route.body };
  }
  return undefined;
}
