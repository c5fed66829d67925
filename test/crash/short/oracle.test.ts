/** The tools of the rigs themselves: what the oracle allows, and where the proxy cuts. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { once } from "node:events";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { FaultProxy } from "../../support/fault-proxy.ts";
import { Journal } from "../journal.ts";
import { Oracle, tagRegister } from "../oracle.ts";
import { SeededRandom } from "../seeded-random.ts";

const register = tagRegister("team/app", "v1");

describe("the oracle allows a tag to hold", () => {
  let journal: Journal;
  beforeAll(() => {
    journal = new Journal("oracle", tmpdir());
  });
  afterAll(() => journal.close(false));

  const begin = (oracle: Oracle, value: string | undefined) =>
    oracle.begin(`tag ${value}`, [{ register, value }]);
  const allowed = (oracle: Oracle): unknown[] => [...oracle.possible(register)];

  test("nothing, or what a push under way may have written", () => {
    const oracle = new Oracle(journal);
    begin(oracle, "one");
    expect(allowed(oracle)).toEqual([undefined, "one"]);
  });

  test("what was acknowledged, and nothing from before", () => {
    const oracle = new Oracle(journal);
    oracle.acknowledge(begin(oracle, "one"));
    oracle.acknowledge(begin(oracle, "two"));
    expect(allowed(oracle)).toEqual(["two"]);
    expect(oracle.certain(register)).toBe("two");
  });

  test("either of two pushes that were under way at once", () => {
    const oracle = new Oracle(journal);
    const [one, two] = [begin(oracle, "one"), begin(oracle, "two")];
    oracle.acknowledge(two);
    oracle.acknowledge(one);
    expect(allowed(oracle)).toEqual(["one", "two"]);
    expect(oracle.certain(register)).toBeUndefined();
  });

  test("what a push wrote that a deletion under way may have taken", () => {
    const oracle = new Oracle(journal);
    oracle.acknowledge(begin(oracle, "one"));
    begin(oracle, undefined);
    expect(allowed(oracle)).toEqual(["one", undefined]);
  });

  test("a push whose answer never came, also after a later one was acknowledged", () => {
    const oracle = new Oracle(journal);
    begin(oracle, "one");
    oracle.acknowledge(begin(oracle, "two"));
    expect(allowed(oracle)).toEqual(["one", "two"]);
  });
});

describe("the fault proxy", () => {
  let received = "";
  let server: Server;
  beforeAll(async () => {
    server = createServer((socket) => {
      socket.on("error", () => undefined);
      socket.on("data", (bytes: Buffer) => {
        received += bytes.toString("latin1");
      });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
  });
  afterAll(() => server.close());

  test.each(["close", "reset"] as const)("passes so many bytes on, then cuts: %s", async (how) => {
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    await using proxy = await FaultProxy.start(port);
    received = "";
    proxy.set({ cutAfterBytes: 12, how, slice: { sizeBytes: 5, pauseMs: 1 } });
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    const client = connect(Number(new URL(proxy.origin).port), "127.0.0.1");
    client.on("error", () => undefined);
    client.on("close", () => resolve());
    client.write("0123456789abcdef");
    await closed;
    expect(proxy.cuts).toBe(1);
    expect(proxy.countedBytes).toBe(12);
    // A reset may overtake what was sent before it.
    const sureBytes = how === "close" ? 12 : 0;
    while (received.length < sureBytes) await Bun.sleep(1);
    expect("0123456789ab").toStartWith(received);
  });
});

test("the same seed gives the same numbers and bytes, and each fork its own", () => {
  const numbers = (random: SeededRandom) => [random.next(), random.integer(1, 100)];
  expect(numbers(new SeededRandom(7))).toEqual(numbers(new SeededRandom(7)));
  expect(new SeededRandom(7).bytes(100)).toEqual(new SeededRandom(7).bytes(100));
  expect(numbers(new SeededRandom(7).fork("a"))).not.toEqual(
    numbers(new SeededRandom(7).fork("b")),
  );
});
