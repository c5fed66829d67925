import { expect, test } from "bun:test";
import { once } from "node:events";
import { connect as connectPlain } from "node:net";
import { connect } from "node:tls";
import {
  certificates,
  clientCertificates,
  shake,
  startListener,
  testFolder,
  tlsConfig,
} from "./test-support.ts";

const { server, client, authority } = certificates;

for (const way of ["Bun.serve", "the front"] as const) {
  test(`${way}: handshakes that are under way when the certificate changes come to their end`, async () => {
    using folder = testFolder();
    const gate =
      way === "the front"
        ? { clientCertificates: clientCertificates(folder, "verify-client-cert-if-given") }
        : {};
    await using listener = await startListener({ tls: tlsConfig(folder, server("one"), gate) });
    const { port, timer } = listener;
    const sockets = await Promise.all(
      Array.from({ length: 10 }, async () => {
        const socket = connectPlain({ host: "127.0.0.1", port });
        await once(socket, "connect");
        return socket;
      }),
    );
    tlsConfig(folder, server("two"), gate);
    timer.tick();
    for (const socket of sockets) {
      expect(await shake({ socket })).toMatchObject({ protocol: "TLSv1.3", error: "" });
    }
  });
}

for (const way of ["Bun.serve", "the front"] as const) {
  test(`${way}: when an authority of clients is replaced, open connections end with their request`, async () => {
    using folder = testFolder();
    const gate = {
      clientCertificates: clientCertificates(folder, "require-and-verify-client-cert"),
    };
    const tls = tlsConfig(folder, server("one"), gate);
    const { promise: middle, resolve: goOn } = Promise.withResolvers<void>();
    const path = folder.file("berth.sock");
    const http = way === "the front" ? { tls, listen: { kind: "unix", path } as const } : { tls };
    await using listener = await startListener(http, {
      answer: async ({ url }) => {
        if (url.endsWith("/slow")) await middle;
        return new Response("whole");
      },
    });
    const where = way === "the front" ? { path } : { host: "127.0.0.1", port: listener.port };
    const open = async (target: string): Promise<{ ended: Promise<void>; text: () => string }> => {
      const socket = connect({ ...where, servername: "localhost", ca: authority, ...client });
      const { promise: ended, resolve } = Promise.withResolvers<void>();
      let text = "";
      socket.on("data", (data) => {
        text += String(data);
      });
      socket.once("close", () => resolve());
      await once(socket, "secureConnect");
      socket.write(`GET ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
      return { ended, text: () => text };
    };
    const idle = await open("/quick");
    while (!idle.text().endsWith("whole")) await Bun.sleep(5);
    const busy = await open("/slow");
    await Bun.sleep(20);
    folder.write("clients.pem", server("another").cert);
    listener.timer.tick();
    listener.timer.tick();
    await idle.ended;
    expect(busy.text()).toBe("");
    goOn();
    await busy.ended;
    expect(busy.text()).toEndWith("whole");
  });
}
