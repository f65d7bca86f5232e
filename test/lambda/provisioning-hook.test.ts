import type { ProvisioningRequest } from '../../lambda/provisioning-hook/decide';
import { createHandler } from '../../lambda/provisioning-hook/handler';

/** Things by name, with their certificates; a name that is not there does not exist. */
function hook(things: Record<string, readonly string[]>, failure?: Error) {
  const send = async (command: { input: { thingName?: string } }): Promise<object> => {
    if (failure) throw failure;
    const principals = things[command.input.thingName ?? ''];
    if (!principals) throw Object.assign(new Error('not found'), { name: 'ResourceNotFoundException' });
    return { principals };
  };
  return createHandler({ iot: { send: send as never } });
}

const ask = (ThingName?: string): ProvisioningRequest => ({ parameters: ThingName === undefined ? {} : { ThingName } });

beforeEach(() => jest.spyOn(console, 'log').mockImplementation());
afterEach(() => jest.restoreAllMocks());

test('a thing that was registered ahead and has no certificate is given one', async () => {
  expect(await hook({ pump: [] })(ask('pump'))).toEqual({ allowProvisioning: true });
});

test.each([
  ['is not registered', 'valve'],
  ['has a certificate already', 'taken'],
  ['is none', 'pump/../taken'],
  ['is missing', undefined],
])('a name that %s is refused', async (_why, name) => {
  const handler = hook({ pump: [], taken: ['arn:aws:iot:eu-west-1:123456789012:cert/1'] });
  expect(await handler(ask(name))).toEqual({ allowProvisioning: false });
});

test('what the service fails at is no permission, and a name that can be none is not logged', async () => {
  await expect(hook({}, new Error('down'))(ask('pump'))).rejects.toThrow('down');
  await hook({})(ask('<script>'));
  expect(jest.mocked(console.log).mock.calls.flat().join('\n')).not.toContain('script');
});
