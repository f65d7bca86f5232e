import { createHash } from 'node:crypto';
import {
  Evaluation,
  SqlFault,
  SqlSyntaxError,
  compileStatement,
  compileTemplate,
} from '../../../local/services/iot/sql';
import type { RuleMessage } from '../../../local/services/iot/sql';

const environment = {
  accountId: '000000000000',
  random: () => 0.25,
  uuid: () => '12345678-1234-1234-1234-123456789012',
};

function message(payload: unknown, more: Partial<RuleMessage> = {}): RuleMessage {
  return {
    topic: 'dt/factory/press-7',
    payload: Buffer.isBuffer(payload) ? payload : Buffer.from(JSON.stringify(payload)),
    received: 1_481_825_251_155,
    clientId: 'press-7',
    principal: 'ba67',
    sourceIp: '127.0.0.1',
    traceId: 'trace',
    ...more,
  };
}

/** The outgoing payload's text, or undefined where WHERE does not hold. */
function run(sql: string, payload: unknown = {}, more: Partial<RuleMessage> = {}): string | undefined {
  return compileStatement(sql)
    .evaluate(new Evaluation(message(payload, more), environment))
    ?.toString();
}

/** The value of one expression; undefined = Undefined. */
function value(expression: string, payload: unknown = {}, more: Partial<RuleMessage> = {}): unknown {
  const output = run(`SELECT ${expression} AS x FROM 'a'`, payload, more)!;
  return (JSON.parse(output) as { x?: unknown }).x;
}

const undefinedValue = undefined;

describe('operators', () => {
  test.each([
    ['1 + 2', 3],
    ['1 + 2.5', 3.5],
    ['"a" + 1', 'a1'],
    ['[1] + "x"', '[1]x'],
    ['true + 1', undefinedValue],
    ['7 / 2', 3],
    ['-7 / 2', -3],
    ['7.5 / 2', 3.75],
    ['7 / 0', undefinedValue],
    ['"6" - "2"', 4],
    ['"six" - 2', undefinedValue],
    ['7 % 4', 3],
    ['2 + 3 * 4', 14],
    ['(2 + 3) * 4', 20],
    ['10 - 3 - 2', 5],
    ['"5E-1" * 2', 1],
    ['3 > "2"', true],
    ['"x" > 2', undefinedValue],
    ['true > 0', undefinedValue],
    ['1 = 1.0', true],
    ['1 = "1"', false],
    ['1 <> "1"', true],
    ['[1, {"a": 2}] = [1, {"a": 2}]', true],
    ['{"a": 1, "b": 2} = {"b": 2, "a": 1}', true],
    ['NULL = NULL', true],
    ['missing = 1', undefinedValue],
    ['missing <> 1', undefinedValue],
    ['true AND "TRUE"', true],
    ['true AND 1', undefinedValue],
    ['false OR "true"', true],
    ['NOT "False"', true],
    ['NOT 1', undefinedValue],
    ['NOT false AND false', false],
    ['1 < 2 AND 2 < 3 OR false', true],
    ['1 + 1 = 2', true],
  ])('%s is %j', (expression, expected) => expect(value(expression)).toEqual(expected));
});

describe('functions, as the reference’s examples have them', () => {
  test.each([
    ['abs(-5)', 5],
    ['abs("-5.123")', 5.123],
    ['abs(true)', undefinedValue],
    ['accountid()', '000000000000'],
    ['acos(0)', Math.PI / 2],
    ['acos(2)', undefinedValue],
    ['atan2(1, 0)', Math.PI / 2],
    ['bitand(13, 5)', 5],
    ['bitor(8, 5)', 13],
    ['bitxor(13, 5)', 8],
    ['bitnot(13)', -14],
    ['cast(true as Int)', 1],
    ['cast("FALSE" as Boolean)', false],
    ['cast(0 as Bool)', false],
    ['cast(1.9 as Integer)', 1],
    ['cast([1, "a", null] as String)', '[1,"a",null]'],
    ['cast(null as String)', undefinedValue],
    ['ceil(1.2)', 2],
    ['ceil(-1.2)', -1],
    ['chr(65)', 'A'],
    ['chr(300)', undefinedValue],
    ['concat()', undefinedValue],
    ['concat(1)', 1],
    ['concat([1, 2, 3], 4)', [1, 2, 3, 4]],
    ['concat([1, 2, 3], "hello", [4, 5, 6])', [1, 2, 3, 'hello', 4, 5, 6]],
    ['concat(1, "hello")', '1hello'],
    ['concat("he","is","man")', 'heisman'],
    ['concat(1, 2)', undefinedValue],
    ['cosh(2.3)', 5.037220649268761],
    ['decode("eyAidGVtcGVyYXR1cmUiOiAzMyB9Cg==", "base64").temperature', 33],
    ['decode("aGVsbG8=", "base64")', 'hello'],
    ['decode("!", "base64")', null],
    ['encode("hello", "base64")', 'aGVsbG8='],
    ['encode({"a": 1}, "base64")', Buffer.from('{"a":1}').toString('base64')],
    ['endswith("cat","at")', true],
    ['endswith(null,"at")', undefinedValue],
    ['floor(-1.2)', -2],
    ['get(["a", "b", "c"], 1)', 'b'],
    ['get({"a":"b"}, "a")', 'b'],
    ['get({"a":"b"}, "constructor")', undefinedValue],
    ['get("abc", 0)', 'a'],
    ['get(["a"], 5)', undefinedValue],
    ['get_or_default(missing, 0.0)', 0],
    ['indexof("abcd", "bc")', 1],
    ['isNull(Null)', true],
    ['isNull(missing)', false],
    ['isUndefined(floor([1,2,3]))', true],
    ['length("hi")', 2],
    ['length(false)', 5],
    ['ln(exp(1))', 1],
    ['log(100)', 2],
    ['lower("HELLO")', 'hello'],
    ['lower(["HELLO"])', '["hello"]'],
    ['lpad("hello", 2)', '  hello'],
    ['rpad(1, 3)', '1   '],
    ['lpad("a", -4)', 'a'],
    ['Ltrim(" h i ")', 'h i '],
    ['rtrim(" h i ")', ' h i'],
    ['Trim(" hi ")', 'hi'],
    ['md5("hello")', '5d41402abc4b2a76b9719d911017c592'],
    ['sha256("hello")', createHash('sha256').update('hello').digest('hex')],
    ['mod(8, 3)', 2],
    ['remainder("8", 3)', 2],
    ['Nanvl(8, 3)', 8],
    ['nanvl(null, 3)', 3],
    ['newuuid()', '12345678-1234-1234-1234-123456789012'],
    ['numbytes("€")', 3],
    ['power(2, 5)', 32],
    ['rand()', 0.25],
    ['regexp_matches("aaaa", "a{2,}")', true],
    ['regexp_matches("aaaa", "(")', undefinedValue],
    ['regexp_replace("abcd", "b(.*)d", "$1")', 'ac'],
    ['regexp_substr("hihihello", "(hi)*")', 'hihi'],
    ['replace("abcdabcd", "b", "x")', 'axcdaxcd'],
    ['Round(1.5)', 2],
    ['Round(-1.5)', -2],
    ['sign(-7)', -1],
    ['sqrt(-1)', undefinedValue],
    ['startswith("ranger","ran")', true],
    ['substring("012345", 2.745)', '2345'],
    ['substring(123, 2)', '3'],
    ['substring(false, -2.411E247)', 'false'],
    ['substring("012345", -50, 50)', '012345'],
    ['substring("012345", 3, 1)', ''],
    ['sql_version()', '2016-03-23'],
    ['tan(3)', -0.1425465430742778],
    ['tanh(2.3)', 0.9800963962661914],
    ['time_to_epoch("2020-04-03 09:45:18 UTC+01:00", "yyyy-MM-dd HH:mm:ss VV")', 1585903518000],
    ['time_to_epoch("18 December 2015", "dd MMMM yyyy")', 1450396800000],
    ['time_to_epoch("2007-12-03 10:15:30.592 America/Los_Angeles", "yyyy-MM-dd HH:mm:ss.SSS z")', 1196705730592],
    ['time_to_epoch("2007-13-03", "yyyy-MM-dd")', undefinedValue],
    ['time_to_epoch("2025-02-30", "yyyy-MM-dd")', undefinedValue],
    [`parse_time("yyyy.MM.dd G 'at' HH:mm:ss z", 100000000, "America/Belize")`, '1970.01.01 AD at 21:46:40 CST'],
    ['parse_time("yyyy-MM-dd\'T\'HH:mm:ss.SSSZZ", 1481825251155)', '2016-12-15T18:07:31.155+00:00'],
    ['parse_time("yyyy", 0, "Nowhere/At_All")', undefinedValue],
    ['timestamp()', 1_481_825_251_155],
    ['topic()', 'dt/factory/press-7'],
    ['topic(1)', 'dt'],
    ['topic(3)', 'press-7'],
    ['topic(4)', undefinedValue],
    ['topic(0)', undefinedValue],
    ['clientid()', 'press-7'],
    ['principal()', 'ba67'],
    ['sourceip()', '127.0.0.1'],
    ['traceid()', 'trace'],
    ['trunc(2.3123, 2)', 2.31],
    ['trunc(2.888, 2)', 2.88],
    ['trunc(2.3, 0)', 2],
    ['upper(["hello"])', '["HELLO"]'],
    ['abs(1, 2)', undefinedValue],
    ['TOPIC(2)', 'factory'],
  ])('%s is %j', (expression, expected) => {
    const actual = value(expression);
    if (typeof expected === 'number') expect(actual).toBeCloseTo(expected, 12);
    else expect(actual).toEqual(expected);
  });

  test('clientid() of a message that did not come over MQTT is n/a', () => {
    expect(value('clientid()', {}, { clientId: undefined })).toBe('n/a');
    expect(value('traceid()', {}, { clientId: undefined })).toBeUndefined();
  });

  test.each([
    'select value transform("enrichArray", attributes, values) from \'A/B\'',
    'select value transform("enrichArray", {"key": attributes.data1}, values) from \'A/B\'',
  ])('%s', (sql) => {
    const payload = { attributes: { data1: 1, data2: 2 }, values: [{ a: 3 }, { b: 4 }] };
    const added = sql.includes('key') ? { key: 1 } : { data1: 1, data2: 2 };
    expect(JSON.parse(run(sql, payload)!)).toEqual([
      { a: 3, ...added },
      { b: 4, ...added },
    ]);
  });
});

describe('statements', () => {
  const color = { color: { red: 255, green: 0 }, temperature: 50 };

  test.each([
    ["SELECT * FROM 'a'", color, JSON.stringify(color)],
    ["SELECT color.red FROM 'a'", color, '{"red":255}'],
    ["SELECT color.red, temperature FROM 'a' WHERE temperature > 49", color, '{"red":255,"temperature":50}'],
    ["SELECT color AS rgb FROM 'a' WHERE temperature > 50", color, undefined],
    ["SELECT temperature FROM 'a' WHERE missing > 1", color, undefined],
    ["SELECT temperature FROM 'a' WHERE temperature", color, undefined],
    ["SELECT color.red AS out.red, temperature AS out.heat FROM 'a'", color, '{"out":{"red":255,"heat":50}}'],
    ["SELECT *, topic(3) AS device FROM 'a'", { device: 'forged', v: 1 }, '{"device":"press-7","v":1}'],
    ["SELECT missing, 10.0 AS ten FROM 'a'", {}, '{"ten":10}'],
    ["SELECT VALUE color FROM 'a'", color, '{"red":255,"green":0}'],
    ["SELECT VALUE topic(2) FROM 'a'", color, 'factory'],
    ["SELECT value FROM 'a'", { value: 3 }, '{"value":3}'],
    ["SELECT value AS v, value.x FROM 'a'", { value: { x: 1 } }, '{"v":{"x":1},"x":1}'],
    [
      "SELECT {'latitude': get(lat_long, 0),'longitude':get(lat_long, 1)} as lat_long FROM 'a'",
      { lat_long: [47.6, -122.3] },
      '{"lat_long":{"latitude":47.6,"longitude":-122.3}}',
    ],
    ["SELECT [lat,long] as lat_long FROM 'a'", { lat: 1, long: -2 }, '{"lat_long":[1,-2]}'],
    ["SELECT CASE color WHEN 'green' THEN 1 WHEN 'red' THEN 2 ELSE 3 END AS n FROM 'a'", { color: 'red' }, '{"n":2}'],
    ["SELECT CASE color WHEN 'green' THEN 1 END AS n FROM 'a'", { color: 'red' }, '{}'],
    ["SET @f = temperature * 2, @g = @f + 1 SELECT @g AS g FROM 'a' WHERE @f = 100", color, '{"g":101}'],
    ["SET @c = color SELECT @c.red AS r FROM 'a'", color, '{"r":255}'],
    ['SELECT topic() AS t', {}, '{"t":"dt/factory/press-7"}'],
    ['SELECT * WHERE temperature = 50', color, JSON.stringify(color)],
  ])('%s', (sql, payload, expected) => expect(run(sql, payload)).toBe(expected));

  const senml = {
    e: [
      { n: 'temperature', v: 22.5 },
      { n: 'light', v: 135 },
    ],
  };
  test.each([
    ["SELECT (SELECT VALUE n FROM e) as sensors FROM 'a'", '{"sensors":["temperature","light"]}'],
    ["SELECT (SELECT v FROM e WHERE n = 'temperature') as temperature FROM 'a'", '{"temperature":[{"v":22.5}]}'],
    ["SELECT get((SELECT v FROM e WHERE n = 'temperature'), 0).v as temperature FROM 'a'", '{"temperature":22.5}'],
    ["SELECT (SELECT * FROM e WHERE v > 100) AS big FROM 'a'", '{"big":[{"n":"light","v":135}]}'],
  ])('nested: %s', (sql, expected) => expect(run(sql, senml)).toBe(expected));

  test('a nested query over an object gives an object', () => {
    const payload = { data2: { a: 'first', b: 'second', c: [{ x: 5 }, { x: 10 }] } };
    const sql =
      "select value transform('enrichArray', (select a, b from data2), (select value c from data2)) from 'A/B'";
    expect(JSON.parse(run(sql, payload)!)).toEqual([
      { x: 5, a: 'first', b: 'second' },
      { x: 10, a: 'first', b: 'second' },
    ]);
  });

  test('members that a payload inherits are not members; __proto__ is a key like another', () => {
    expect(run("SELECT constructor, toString AS s FROM 'a'")).toBe('{}');
    const payload = Buffer.from('{"__proto__":{"admin":true},"v":1}');
    expect(run("SELECT *, 1 AS one FROM 'a'", payload)).toBe('{"__proto__":{"admin":true},"v":1,"one":1}');
    expect(run("SELECT admin FROM 'a'", payload)).toBe('{}');
  });
});

describe('payloads that are no JSON object', () => {
  const envelope =
    "SELECT encode(*, 'base64') AS payload, topic() AS topic, topic(3) AS device, timestamp() AS received FROM 'dt/factory/+'";
  const payloads: [string, Buffer][] = [
    ['binary', Buffer.from([0, 255, 128, 10, 13, 0])],
    ['malformed JSON', Buffer.from('{"a": ')],
    ['an array', Buffer.from('[{"v":1},{"v":2}]')],
    ['JSON with odd spacing and a huge number', Buffer.from('{ "v" : 12345678901234567890 }')],
    ['gzip', Buffer.from('1f8b0800000000000003ab562a4b2db2520200', 'hex')],
    ['empty', Buffer.alloc(0)],
    ['128 KB', Buffer.alloc(128 * 1024, 'x')],
    ['deep nesting', Buffer.from('['.repeat(60_000))],
  ];

  test.each(payloads)('%s is enveloped byte for byte', (_name, payload) => {
    const output = JSON.parse(run(envelope, payload)!) as Record<string, unknown>;
    expect(Buffer.from(output['payload'] as string, 'base64').equals(payload)).toBe(true);
    expect(output).toMatchObject({ topic: 'dt/factory/press-7', device: 'press-7', received: 1_481_825_251_155 });
  });

  test('`SELECT *` alone passes the bytes on', () => {
    const payload = Buffer.from([0, 255, 128]);
    const output = compileStatement("SELECT * FROM 'a' WHERE timestamp() > 0").evaluate(
      new Evaluation(message(payload), environment),
    );
    expect(output!.equals(payload)).toBe(true);
  });

  test.each([
    "SELECT *, timestamp() AS ts FROM 'a'",
    "SELECT temperature FROM 'a'",
    "SELECT * FROM 'a' WHERE temperature > 1",
  ])('%s is a fault', (sql) => {
    expect(() => run(sql, Buffer.from([0, 255]))).toThrow(SqlFault);
  });

  test('an empty payload counts as an empty object', () => {
    expect(run("SELECT *, topic(3) AS device, temperature FROM 'a'", Buffer.alloc(0))).toBe('{"device":"press-7"}');
  });
});

describe('what is refused', () => {
  test.each([
    ["SELECT foo() AS x FROM 'a'", /foo\(\) is no function of AWS IoT SQL/],
    [
      "SELECT get_dynamodb('t', 'k', 'v', 'arn') AS x FROM 'a'",
      /get_dynamodb\(\) is a function of AWS IoT that the local rules engine does not have/,
    ],
    ["SELECT constructor() AS x FROM 'a'", /constructor\(\) is no function/],
    ["SELECT topic() FROM 'a'", /has no name: write .* AS name/],
    ["SELECT cast(1 as Money) AS x FROM 'a'", /no type money/],
    ['SELECT @v AS x', /@v is used before/],
    ['SET @v = 1, @v = 2 SELECT @v AS x', /assigned twice/],
    ["SELECT a FROM 'dt/+x'", /\+ that is no whole level/],
    ["SELECT a FROM 'dt/#/x'", /# that is not the last level/],
    ['SELECT a FROM dt', /topic filter in quotes/],
    ["SELECT a FROM 'a' WHERE b IN [1]", /"IN" at character/],
    ["SELECT a FROM 'a' LIMIT 1", /"LIMIT" at character 19/],
    ["SELECT 'a FROM b", /does not end/],
    ["SELECT a; FROM 'a'", /";" is no part/],
    ['UPDATE a', /SELECT should stand here/],
    ['', /the end at character 1/],
    [`SELECT ${'('.repeat(500)}1${')'.repeat(500)} AS x`, /nest deeper than 200/],
    [`SELECT ${'a'.repeat(18_001)} FROM 'a'`, /18000/],
  ])('%.60s', (sql, expected) => {
    expect(() => compileStatement(sql)).toThrow(SqlSyntaxError);
    expect(() => compileStatement(sql)).toThrow(expected);
  });
});

describe('substitution templates', () => {
  const fill = (text: string, payload: unknown = {}): string =>
    compileTemplate(text).evaluate(new Evaluation(message(payload), environment));

  test.each([
    ['plain', 'plain'],
    ['', ''],
    ['${topic(3)}', 'press-7'],
    ['dt=${parse_time("yyyy-MM-dd", timestamp())}/${clientid()}.json', 'dt=2016-12-15/press-7.json'],
    ["${get({'a}': 'brace}'}, 'a}')}", 'brace}'],
    ['${color.red}-${missing}', '255-'],
  ])('%s', (text, expected) => {
    expect(fill(text, { color: { red: 255 } })).toBe(expected);
  });

  test('a template that does not end is refused', () => {
    expect(() => compileTemplate('a/${topic(')).toThrow(/character 3 does not end/);
  });

  test('a template that refers to a member of a payload that is no JSON is a fault', () => {
    expect(() => fill('${device_id}', Buffer.from([255]))).toThrow(SqlFault);
  });
});
