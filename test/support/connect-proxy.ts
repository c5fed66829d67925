/**
 * An HTTP proxy as companies have one, that sends every CONNECT to one port of this machine.
 *
 * It exists because a Docker engine takes a name that leads to the loopback interface for an
 * insecure registry, and then verifies nothing. Behind a proxy it never looks the name up.
 */
import { connect, createServer, type Socket } from "node:net";

export interface ConnectProxy {
  readonly url: string;
  stop(): void;
}

export async function startConnectProxy(targetPort: number): Promise<ConnectProxy> {
  const open = new Set<Socket>();
  const server = createServer((client) => {
    open.add(client);
    client.on("error", () => client.destroy());
    client.on("close", () => open.delete(client));
    // A CONNECT is one short head: it arrives in one piece on the loopback interface.
    client.once("data", (head) => {
      if (!head.toString("latin1").startsWith("CONNECT ")) {
        client.end("HTTP/1.1 405 Method Not Allowed\r\n\r\n");
        return;
      }
      const registry = connect(targetPort, "127.0.0.1", () => {
        client.write("HTTP/1.1 200 Connection established\r\n\r\n");
        client.pipe(registry).pipe(client);
      });
      open.add(registry);
      registry.on("error", () => client.destroy());
      registry.on("close", () => open.delete(registry));
      client.on("close", () => registry.destroy());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    stop: () => {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}
