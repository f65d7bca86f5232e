/** Conditions of a Condition step, their values resolved. All of a list must hold. */
import { kindOf } from '../input';
import { StepFailure } from './step-failure';

type Condition = Readonly<Record<string, unknown>> & { readonly Type?: string };

/** @throws StepFailure for an unknown type, or values that cannot be compared. */
export function allHold(conditions: readonly unknown[]): boolean {
  return conditions.every((condition) => holds(condition as Condition));
}

function holds(condition: Condition): boolean {
  switch (condition.Type) {
    case 'Equals':
      return equal(condition.LeftValue, condition.RightValue);
    case 'GreaterThan':
      return compare(condition) > 0;
    case 'GreaterThanOrEqualTo':
      return compare(condition) >= 0;
    case 'LessThan':
      return compare(condition) < 0;
    case 'LessThanOrEqualTo':
      return compare(condition) <= 0;
    case 'In': {
      // The published schema says {Value, In}, the Python SDK writes {QueryValue, Values}.
      const values = condition.Values ?? condition.In;
      if (!Array.isArray(values)) throw new StepFailure('condition In needs a list of Values');
      return values.some((value) => equal(value, condition.QueryValue ?? condition.Value));
    }
    case 'Or': {
      if (!Array.isArray(condition.Conditions)) throw new StepFailure('condition Or needs a list of Conditions');
      return condition.Conditions.some((inner) => holds(inner as Condition));
    }
    case 'Not':
      return !holds((condition.Expression ?? condition.Condition ?? {}) as Condition);
    default:
      throw new StepFailure(
        `condition type "${condition.Type}" is not one of Equals, GreaterThan, GreaterThanOrEqualTo, LessThan, LessThanOrEqualTo, In, Or, Not`,
      );
  }
}

function equal(left: unknown, right: unknown): boolean {
  if (left === null || right === null || typeof left !== typeof right) {
    throw new StepFailure(`condition compares ${kindOf(left)} with ${kindOf(right)}; both sides must be of one type`);
  }
  return left === right;
}

function compare({ Type, LeftValue, RightValue }: Condition): number {
  if (typeof LeftValue !== 'number' || typeof RightValue !== 'number') {
    throw new StepFailure(
      `condition ${Type} compares ${kindOf(LeftValue)} with ${kindOf(RightValue)}; both sides must be numbers`,
    );
  }
  return LeftValue - RightValue;
}
