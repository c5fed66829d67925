import { expect, test } from "bun:test";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { connect as connectPlain } from "node:net";
import { type ConnectionOptions, connect } from "node:tls";
import { systemClock } from "../base/clock.ts";
import { silentLogger } from "../base/logger.ts";
import type { TlsConfig } from "../config/config.ts";
import { cipherSuites } from "../config/keys/http-keys.ts";
import { openFront } from "./front.ts";
import { systemEvery } from "./periodic.ts";
import {
  bodyOf,
  type ClientCertificates,
  certificates,
  clientCertificates,
  loopbackHttp,
  rawAnswer,
  shake,
  startListener,
  type TestFolder,
  testFolder,
  tlsConfig,
} from "./test-support.ts";

const { server, client, strangerClient, authority } = certificates;
const oldest = { minVersion: "TLSv1.1", maxVersion: "TLSv1.1" } as const;
const older = { maxVersion: "TLSv1.2" } as const;

test("a client that trusts the authority is answered over TLS, and the wire knows that it is", async () => {
  using folder = testFolder();
  await using listener = await startListener({ tls: tlsConfig(folder, server("one")) });
  expect(listener.origin).toBe(`https://127.0.0.1:${listener.port}`);
  const seen = await shake({ port: listener.port });
  expect(seen.protocol).toBe("TLSv1.3");
  expect(JSON.parse(bodyOf(seen.answer))).toEqual({ address: "127.0.0.1", isTls: true });
});

/** Both ways of listening with TLS have to keep every rule: the second mode goes by the front. */
const ways = {
  "Bun.serve": () => ({}),
  "the front": (folder: TestFolder) => ({
    clientCertificates: clientCertificates(folder, "verify-client-cert-if-given"),
  }),
} satisfies Record<string, (folder: TestFolder) => Partial<TlsConfig>>;

for (const [way, more] of Object.entries(ways)) {
  test(`${way}: TLS 1.2 is the least version, or 1.3 when it is configured`, async () => {
    using folder = testFolder();
    const tls = tlsConfig(folder, server("one"), more(folder));
    {
      await using listener = await startListener({ tls });
      expect(await shake({ port: listener.port, ...older })).toMatchObject({ protocol: "TLSv1.2" });
      expect((await shake({ port: listener.port, ...oldest })).error).toContain("PROTOCOL_VERSION");
    }
    await using listener = await startListener({ tls: { ...tls, minimumVersion: "tls1.3" } });
    expect(await shake({ port: listener.port })).toMatchObject({ protocol: "TLSv1.3", error: "" });
    expect((await shake({ port: listener.port, ...older })).error).toContain("PROTOCOL_VERSION");
  });

  test(`${way}: with TLS 1.2 only the configured cipher suites are agreed on`, async () => {
    using folder = testFolder();
    const suites = ["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"];
    const tls = tlsConfig(folder, server("one"), { ...more(folder), cipherSuites: suites });
    await using listener = await startListener({ tls });
    const { port } = listener;
    expect(await shake({ port, ...older })).toMatchObject({ cipher: suites[0] });
    const other = { port, ...older, ciphers: "ECDHE-ECDSA-AES128-GCM-SHA256" };
    expect((await shake(other)).error).toContain("HANDSHAKE_FAILURE");
    // TLS 1.3 has its own suites, whatever is configured.
    expect(await shake({ port })).toMatchObject({ protocol: "TLSv1.3", error: "" });
  });

  test(`${way}: suites of TLS 1.3 alone leave no TLS 1.2`, async () => {
    using folder = testFolder();
    const only = { ...more(folder), cipherSuites: ["TLS_AES_128_GCM_SHA256"] };
    await using listener = await startListener({ tls: tlsConfig(folder, server("one"), only) });
    expect((await shake({ port: listener.port, ...older })).error).toContain("PROTOCOL_VERSION");
    expect(await shake({ port: listener.port })).toMatchObject({ protocol: "TLSv1.3", error: "" });
  });

  test(`${way}: without a choice of suites, CBC and RSA key exchange are not offered`, async () => {
    using folder = testFolder();
    const tls = tlsConfig(folder, server("one"), more(folder));
    await using listener = await startListener({ tls });
    const weak = { port: listener.port, ...older, ciphers: "ECDHE-ECDSA-AES128-SHA" };
    expect((await shake(weak)).error).toContain("HANDSHAKE_FAILURE");
  });

  test(`${way}: a new certificate is shown after the files changed, and no transfer breaks`, async () => {
    using folder = testFolder();
    const tls = tlsConfig(folder, server("one"), more(folder));
    const { promise: middle, resolve: goOn } = Promise.withResolvers<void>();
    await using listener = await startListener(
      { tls },
      {
        answer: async ({ url }) =>
          new Response(
            url.endsWith("/slow")
              ? (async function* () {
                  yield "before, ";
                  await middle;
                  yield "after";
                })()
              : "quick",
          ),
      },
    );
    const { port, timer, log } = listener;
    const running = connect({ host: "127.0.0.1", port, ca: authority });
    running.write("GET /slow HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let text = String((await once(running, "data"))[0]);
    running.on("data", (data) => {
      text += String(data);
    });
    const ended = once(running, "end");

    timer.tick();
    expect(await shake({ port })).toMatchObject({ serverName: "one" });
    const next = server("two");
    writeFileSync(tls.certificatePath, next.cert);
    timer.tick();
    timer.tick();
    // Half of the pair is there: nothing changes, and one line says so.
    expect(await shake({ port })).toMatchObject({ serverName: "one", error: "" });
    expect(log.lines.map(({ level }) => level)).toEqual(["error"]);
    writeFileSync(tls.keyPath, next.key);
    timer.tick();
    timer.tick();
    await Bun.sleep(0);
    for (let count = 0; count < 5; count += 1) {
      expect(await shake({ port })).toMatchObject({ serverName: "two", error: "" });
    }
    expect(log.lines.map(({ level }) => level)).toEqual(["error", "info"]);

    goOn();
    await ended;
    expect(text).toContain("before, ");
    expect(text).toContain("after");
    running.destroy();
  });
}

interface Visitor {
  readonly name: string;
  readonly options: ConnectionOptions;
}

const visitors: readonly Visitor[] = [
  { name: "nobody", options: {} },
  { name: "known", options: client },
  { name: "stranger", options: strangerClient },
];

const admitted: Readonly<Record<ClientCertificates["mode"], readonly string[]>> = {
  "request-client-cert": ["nobody", "known", "stranger"],
  "require-any-client-cert": ["known", "stranger"],
  "verify-client-cert-if-given": ["nobody", "known"],
  "require-and-verify-client-cert": ["known"],
};

for (const mode of Object.keys(admitted) as ClientCertificates["mode"][]) {
  for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
    test(`${mode} over ${maxVersion} admits ${admitted[mode].join(", ")}`, async () => {
      using folder = testFolder();
      const gate = { clientCertificates: clientCertificates(folder, mode) };
      let requests = 0;
      await using listener = await startListener(
        { tls: tlsConfig(folder, server("one"), gate) },
        {
          answer: async (_, peer) => {
            requests += 1;
            return Response.json({ ...peer, address: peer.address() });
          },
        },
      );
      const inside: string[] = [];
      for (const { name, options } of visitors) {
        const seen = await shake({ port: listener.port, maxVersion, ...options });
        if (!seen.answer.startsWith("HTTP/1.1 200 ")) continue;
        inside.push(name);
        expect(JSON.parse(bodyOf(seen.answer))).toEqual({ address: "127.0.0.1", isTls: true });
      }
      expect(inside).toEqual([...admitted[mode]]);
      expect(requests).toBe(inside.length);
    });
  }
}

test("a refused certificate is refused again when its session is resumed", async () => {
  let resumed = 0;
  for (const mode of ["require-and-verify-client-cert", "verify-client-cert-if-given"] as const) {
    using folder = testFolder();
    const gate = { clientCertificates: clientCertificates(folder, mode) };
    await using listener = await startListener({ tls: tlsConfig(folder, server("one"), gate) });
    const sessions: Buffer[] = [];
    const first = connect({
      host: "127.0.0.1",
      port: listener.port,
      ca: authority,
      ...older,
      ...strangerClient,
    });
    first.on("session", (session) => sessions.push(session));
    const { promise: closed, resolve: close } = Promise.withResolvers<void>();
    first.on("error", () => undefined);
    first.once("close", () => close());
    await closed;
    for (const session of sessions) {
      const again = await shake({ port: listener.port, ...older, ...strangerClient, session });
      expect(again.answer).toBe("");
      resumed += 1;
    }
  }
  expect(resumed).toBeGreaterThan(0);
});

test("the server behind the front answers nobody else on this machine", async () => {
  let requests = 0;
  const front = await openFront({
    http: loopbackHttp,
    material: undefined,
    activatedSocket: undefined,
    clock: systemClock,
    logger: silentLogger,
    every: systemEvery,
    answer: async (_, peer) => {
      requests += 1;
      return new Response(`inside ${peer.address()}`);
    },
  });
  try {
    const port = Number(new URL(front.origin).port);
    expect(bodyOf(await rawAnswer({ port }))).toBe("inside 127.0.0.1");
    expect(await rawAnswer({ port: front.insidePort })).toStartWith("HTTP/1.1 403 ");
    // The same port of another loopback address, which everybody on this machine may use.
    const open = connectPlain({ host: "127.0.0.1", port });
    open.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await once(open, "data");
    const [known = 0] = front.innerPorts;
    const thief = { port: front.insidePort, localAddress: "127.0.0.2", localPort: known };
    expect(await rawAnswer(thief)).toStartWith("HTTP/1.1 403 ");
    open.destroy();
    expect(requests).toBe(2);
  } finally {
    await front.stop(true);
  }
});

test("HTTP/2 is spoken when it is switched on, and not offered otherwise", async () => {
  using folder = testFolder();
  const tls = tlsConfig(folder, server("one"));
  {
    await using listener = await startListener({ tls, isHttp2Enabled: true });
    const session = connectHttp2(`https://localhost:${listener.port}`, { ca: authority });
    const request = session.request({ ":path": "/v2/" });
    request.setEncoding("utf8");
    let body = "";
    for await (const chunk of request) body += String(chunk);
    expect(session.alpnProtocol).toBe("h2");
    expect(JSON.parse(body)).toEqual({ address: "127.0.0.1", isTls: true });
    session.close();
    expect(await shake({ port: listener.port })).toMatchObject({ error: "" });
  }
  await using listener = await startListener({ tls, isHttp2Enabled: false });
  const socket = connect({
    host: "127.0.0.1",
    port: listener.port,
    servername: "localhost",
    ca: authority,
    ALPNProtocols: ["h2", "http/1.1"],
  });
  await once(socket, "secureConnect");
  expect(socket.alpnProtocol).not.toBe("h2");
  socket.destroy();
});

test("every cipher suite that can be configured is known to the library", async () => {
  using folder = testFolder();
  for (const suite of cipherSuites) {
    const only = { cipherSuites: [suite] };
    await using listener = await startListener({ tls: tlsConfig(folder, server("one"), only) });
    expect(listener.port).toBeGreaterThan(0);
  }
});

test("plain HTTP on the TLS port gets no answer, and TLS on the plain port an HTTP one", async () => {
  using folder = testFolder();
  await using secure = await startListener({ tls: tlsConfig(folder, server("one")) });
  expect(await rawAnswer({ port: secure.port })).toBe("");
  expect(await shake({ port: secure.port })).toMatchObject({ error: "" });
  await using plain = await startListener({});
  expect((await shake({ port: plain.port })).error).toContain("WRONG_VERSION_NUMBER");
  const hello = Buffer.from("16030100c8010000c4030300", "hex");
  expect(await rawAnswer({ port: plain.port }, hello)).toStartWith("HTTP/1.1 400 ");
});

const broken: Readonly<Record<string, (folder: TestFolder) => Partial<TlsConfig>>> = {
  "http.tls.certificate: /nowhere/a.crt cannot be read": () => ({
    certificatePath: "/nowhere/a.crt",
  }),
  "http.tls.key: /nowhere/a.key cannot be read": () => ({ keyPath: "/nowhere/a.key" }),
  "does not begin with a certificate in PEM form": (folder) => ({
    certificatePath: folder.write("text", "nothing"),
  }),
  "does not hold a private key": (folder) => ({ keyPath: folder.write("text", "nothing") }),
  "is not that of the certificate": (folder) => ({
    keyPath: folder.write("other.key", server("two").key),
  }),
  "http.tls.clientcas: /nowhere/ca.pem cannot be read": () => ({
    clientCertificates: { caPaths: ["/nowhere/ca.pem"], mode: "require-any-client-cert" },
  }),
};

for (const [sentence, change] of Object.entries(broken)) {
  test(`a start with files that cannot be used fails and says: ${sentence}`, async () => {
    using folder = testFolder();
    const tls = { ...tlsConfig(folder, server("one")), ...change(folder) };
    const failure = await startListener({ tls }).catch((error: unknown) => error);
    expect(String(failure)).toContain(sentence);
  });
}

test("a port that is shared for the change of certificates is still not shared with strangers", async () => {
  using folder = testFolder();
  const tls = tlsConfig(folder, server("one"));
  await using first = await startListener({ tls });
  const listen = { kind: "tcp", host: "127.0.0.1", port: first.port } as const;
  const failure = await startListener({ tls, listen }).catch((error: unknown) => error);
  expect(String(failure)).toContain("another program uses this port");
});
