/**
 * The configurations in deploy/, run by the real nginx and the real Caddy with nothing changed
 * but names, ports and files, with real clients in front of them.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tlsOptions, trustedBySystem } from "../support/client-options.ts";
import {
  ask,
  type Endpoint,
  password,
  startEndpoint,
  storedDigest,
  user,
} from "../support/endpoints.ts";
import {
  expectSameBlobs,
  type ImageFixture,
  imageTools,
  largeImage,
  multiPlatformImage,
  smallImage,
} from "../support/images.ts";
import { createPrivateAuthority, type PrivateAuthority } from "../support/private-authority.ts";
import { type Daemon, freePort, run, startDaemon } from "../support/processes.ts";
import { type RegistryServer, startRegistry } from "../support/registry-server.ts";
import { removeFolder, temporaryFolder } from "../support/run-folder.ts";
import { describeWith } from "../support/tools.ts";

const deployFolder = join(import.meta.dir, "..", "..", "deploy");

interface ReverseProxy {
  readonly port: number;
  log(): string;
  stop(): Promise<void>;
}

interface ProxyFacts {
  readonly upstream: string;
  readonly authority: PrivateAuthority;
}

await describeWith("nginx", [...imageTools, "nginx", "openssl"], () => {
  reverseProxyTests(startDeployedNginx);

  test("nothing of a layer is written to nginx's disk", async () => {
    const behind = await startBehind(startDeployedNginx);
    try {
      const image = await largeImage();
      await push(behind.endpoint, image, "team/large:v1");
      await pull(behind.endpoint, "team/large:v1");
      expect(behind.proxy.log()).not.toContain("buffered to a temporary file");
    } finally {
      await behind.stop();
    }
  });

  describe("http.prefix", () => {
    let server: RegistryServer;
    let nginx: ReverseProxy;
    beforeAll(async () => {
      server = await startRegistry({
        config: { http: { prefix: "/registry/" } },
        readyPath: "/registry/v2/",
      });
      // Clients ask for /v2/ at the root, always; what the registry names is below its prefix.
      const locations = `
        location /v2/ { proxy_pass http://${server.host}/registry/v2/; }
        location /registry/ { proxy_pass http://${server.host}; }`;
      nginx = await startPlainNginx(locations);
    });
    afterAll(async () => {
      await nginx?.stop();
      await server?.stop();
    });

    test("push and pull through the prefix", async () => {
      const endpoint = plainEndpoint(server, nginx.port);
      const image = await smallImage();
      await push(endpoint, image, "team/app:v1");
      expectSameBlobs(await pull(endpoint, "team/app:v1"), image);
    });

    test("an upload's Location lies below the prefix", async () => {
      const endpoint = plainEndpoint(server, nginx.port);
      const begun = await ask(endpoint, "/v2/team/app/blobs/uploads/", { method: "POST" });
      expect(begun.status).toBe(202);
      const location = new URL(begun.headers.get("location") ?? "", endpoint.server.origin);
      expect(location.pathname).toStartWith("/registry/v2/team/app/blobs/uploads/");
    });
  });

  describe("http.host, where the proxy tells nothing about the client's address", () => {
    let server: RegistryServer;
    let nginx: ReverseProxy;
    beforeAll(async () => {
      const port = freePort();
      const origin = `http://127.0.0.1:${port}`;
      server = await startRegistry({ config: { http: { host: origin } } });
      const location = `location / {
        proxy_pass http://${server.host};
        proxy_set_header Host registry.internal;
      }`;
      nginx = await startPlainNginx(location, port);
    });
    afterAll(async () => {
      await nginx?.stop();
      await server?.stop();
    });

    test("push and pull by the configured host", async () => {
      const endpoint = plainEndpoint(server, nginx.port);
      const image = await smallImage();
      await push(endpoint, image, "team/app:v1");
      expectSameBlobs(await pull(endpoint, "team/app:v1"), image);
    });

    test("Location and Link lead to the configured host", async () => {
      const endpoint = plainEndpoint(server, nginx.port);
      const begun = await ask(endpoint, "/v2/team/app/blobs/uploads/", { method: "POST" });
      const location = new URL(begun.headers.get("location") ?? "", endpoint.server.origin);
      expect(location.origin).toBe(endpoint.server.origin);
      await push(endpoint, await smallImage(), "team/app:v2");
      const listed = await ask(endpoint, "/v2/team/app/tags/list?n=1");
      const link = /<([^>]*)>/.exec(listed.headers.get("link") ?? "")?.[1];
      // Distribution 2.8 has no pages of tags.
      if (link !== undefined) {
        expect(new URL(link, endpoint.server.origin).origin).toBe(endpoint.server.origin);
      }
    });
  });
});

await describeWith("caddy", [...imageTools, "caddy", "openssl"], () => {
  reverseProxyTests(startDeployedCaddy);
});

await describeWith("crane through nginx", [...imageTools, "crane", "nginx", "openssl"], (tools) => {
  test("push, copy and validate", async () => {
    const behind = await startBehind(startDeployedNginx);
    try {
      const { endpoint } = behind;
      const env = { DOCKER_CONFIG: temporaryFolder("crane"), ...trustedBySystem(endpoint) };
      const crane = async (...args: string[]): Promise<string> =>
        run([tools.path("crane"), ...args], { env });
      const login = ["auth", "login", endpoint.host, "--username", user, "--password", password];
      await crane(...login);
      await crane("push", (await largeImage()).layout, `${endpoint.host}/team/large:v1`);
      await crane("copy", `${endpoint.host}/team/large:v1`, `${endpoint.host}/other/large:v1`);
      await crane("validate", "--remote", `${endpoint.host}/other/large:v1`);
    } finally {
      await behind.stop();
    }
  });
});

/** What must work behind every reverse proxy; the registry has an htpasswd file, the proxy TLS. */
function reverseProxyTests(start: (facts: ProxyFacts) => Promise<ReverseProxy>): void {
  describe("TLS at the proxy, htpasswd at the registry", () => {
    let behind: Behind | undefined;
    beforeAll(async () => {
      behind = await startBehind(start);
    });
    afterAll(async () => behind?.stop());
    function endpoint(): Endpoint {
      if (behind === undefined) throw new Error("the proxy did not start");
      return behind.endpoint;
    }

    test("an image, an index and a layer of 100 MB go and come back whole", async () => {
      const cases = { small: smallImage, multi: multiPlatformImage, large: largeImage };
      for (const [name, make] of Object.entries(cases)) {
        const image = await make();
        await push(endpoint(), image, `team/${name}:v1`);
        expect(await storedDigest(endpoint(), `team/${name}`, "v1")).toBe(image.digest);
        expectSameBlobs(await pull(endpoint(), `team/${name}:v1`), image);
      }
    });

    test("what is streamed without a length arrives", async () => {
      const begun = await ask(endpoint(), "/v2/team/stream/blobs/uploads/", { method: "POST" });
      expect(begun.status).toBe(202);
      const location = new URL(begun.headers.get("location") ?? "", endpoint().server.origin);
      expect(location.origin).toBe(endpoint().server.origin);
      const parts = ["one ", "two ", "three"];
      const body = new ReadableStream<Uint8Array>({
        async pull(controller) {
          const part = parts.shift();
          if (part === undefined) controller.close();
          else controller.enqueue(new TextEncoder().encode(part));
        },
      });
      const path = `${location.pathname}${location.search}`;
      const patched = await ask(endpoint(), path, { method: "PATCH", body });
      expect(patched.status).toBe(202);
      expect(patched.headers.get("range")).toBe("0-12");
    });

    test("Docker of the first protocol is told that this is no registry", async () => {
      const statuses: Record<string, number> = {};
      for (const agent of ["docker/1.5.0 go/1.4", "Go 1.1 package http"]) {
        statuses[agent] = (await ask(endpoint(), "/v2/", userAgent(agent))).status;
      }
      for (const agent of ["docker/1.13.1 go/go1.7", "docker/28.5.2", "Go-http-client/1.1"]) {
        statuses[agent] = (await ask(endpoint(), "/v2/", userAgent(agent))).status;
      }
      expect(statuses).toEqual({
        "docker/1.5.0 go/1.4": 404,
        "Go 1.1 package http": 404,
        "docker/1.13.1 go/go1.7": 200,
        "docker/28.5.2": 200,
        "Go-http-client/1.1": 200,
      });
    });
  });
}

function userAgent(value: string): BunFetchRequestInit {
  return { headers: { "user-agent": value } };
}

interface Behind {
  /** The registry as clients of the proxy see it. */
  readonly endpoint: Endpoint;
  readonly proxy: ReverseProxy;
  stop(): Promise<void>;
}

async function startBehind(start: (facts: ProxyFacts) => Promise<ReverseProxy>): Promise<Behind> {
  const authority = await createPrivateAuthority(temporaryFolder("proxy-authority"));
  const registry = await startEndpoint("htpasswd");
  const proxy = await start({ upstream: registry.server.host, authority });
  const host = `127.0.0.1:${proxy.port}`;
  const server = { ...registry.server, host, port: proxy.port, origin: `https://${host}` };
  return {
    endpoint: { ...registry, server, host, authority },
    proxy,
    stop: async () => {
      await proxy.stop();
      await registry.server.stop();
    },
  };
}

function plainEndpoint(registry: RegistryServer, port: number): Endpoint {
  const host = `127.0.0.1:${port}`;
  const server = { ...registry, host, port, origin: `http://${host}` };
  return { mode: "anonymous", server, host, needsLogin: false };
}

async function push(endpoint: Endpoint, image: ImageFixture, name: string): Promise<void> {
  const credentials = endpoint.needsLogin ? ["--dest-creds", `${user}:${password}`] : [];
  const flags = ["--all", "--preserve-digests", ...tlsOptions(endpoint, "dest-"), ...credentials];
  await run(["skopeo", "copy", ...flags, image.source, `docker://${endpoint.host}/${name}`]);
}

async function pull(endpoint: Endpoint, name: string): Promise<string> {
  const layout = join(temporaryFolder("pulled"), "oci");
  const credentials = endpoint.needsLogin ? ["--src-creds", `${user}:${password}`] : [];
  const flags = ["--all", ...tlsOptions(endpoint, "src-"), ...credentials];
  await run(["skopeo", "copy", ...flags, `docker://${endpoint.host}/${name}`, `oci:${layout}:v1`]);
  return layout;
}

async function startDeployedNginx(facts: ProxyFacts): Promise<ReverseProxy> {
  const port = freePort();
  const text = readFileSync(join(deployFolder, "nginx", "berth.conf"), "utf8");
  const site = withReplacements(text, {
    "server 127.0.0.1:5000;": `server ${facts.upstream};`,
    "listen 443 ssl;": `listen 127.0.0.1:${port} ssl;`,
    "listen 80;": `listen 127.0.0.1:${freePort()};`,
    "/etc/nginx/tls/registry.crt": facts.authority.serverCertificateFile,
    "/etc/nginx/tls/registry.key": facts.authority.serverKeyFile,
  });
  return startNginx(site, port);
}

async function startPlainNginx(locations: string, port = freePort()): Promise<ReverseProxy> {
  const limits = "client_max_body_size 0; proxy_request_buffering off; proxy_http_version 1.1;";
  const host = "proxy_set_header Host $http_host;";
  const site = `server { listen 127.0.0.1:${port}; ${limits} ${host} ${locations} }`;
  return startNginx(site, port);
}

async function startNginx(site: string, port: number): Promise<ReverseProxy> {
  const work = temporaryFolder("nginx");
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${work}/${name};`,
  );
  writeFileSync(join(work, "site.conf"), site);
  const main = `
    daemon off;
    pid ${work}/pid;
    error_log ${work}/error.log info;
    events {}
    http {
      access_log off;
      ${temporary.join("\n      ")}
      include ${work}/site.conf;
    }`;
  writeFileSync(join(work, "nginx.conf"), main);
  const errorLog = (): string => readFileSync(join(work, "error.log"), "utf8");
  const daemon = await startDaemon({
    name: "nginx",
    command: ["/usr/sbin/nginx", "-c", join(work, "nginx.conf"), "-e", join(work, "error.log")],
    isReady: async () => accepts(port),
  });
  return stoppable(daemon, work, { port, log: errorLog });
}

async function startDeployedCaddy(facts: ProxyFacts): Promise<ReverseProxy> {
  const port = freePort();
  const work = temporaryFolder("caddy");
  mkdirSync(join(work, "data"));
  const text = readFileSync(join(deployFolder, "caddy", "Caddyfile"), "utf8");
  const site = withReplacements(text, {
    "registry.example.com {": `https://127.0.0.1:${port} {\n\tbind 127.0.0.1`,
    "/etc/caddy/registry.crt": facts.authority.serverCertificateFile,
    "/etc/caddy/registry.key": facts.authority.serverKeyFile,
    "reverse_proxy 127.0.0.1:5000": `reverse_proxy ${facts.upstream}`,
  });
  // Nothing but this one port: no administration, no redirect on port 80.
  const global = "{\n\tadmin off\n\tauto_https disable_redirects\n}\n";
  writeFileSync(join(work, "Caddyfile"), global + site);
  const daemon = await startDaemon({
    name: "caddy",
    command: [
      "/usr/bin/caddy",
      "run",
      "--adapter",
      "caddyfile",
      "--config",
      join(work, "Caddyfile"),
    ],
    env: { XDG_DATA_HOME: join(work, "data"), XDG_CONFIG_HOME: work, HOME: work },
    isReady: async () => accepts(port),
  });
  return stoppable(daemon, work, { port, log: () => daemon.log() });
}

function stoppable(
  daemon: Daemon,
  work: string,
  facts: Pick<ReverseProxy, "port" | "log">,
): ReverseProxy {
  return {
    ...facts,
    stop: async () => {
      await daemon.stop();
      removeFolder(work);
    },
  };
}

/** Every text must be there: a configuration that was changed must not be tested half. */
function withReplacements(text: string, replacements: Readonly<Record<string, string>>): string {
  let replaced = text;
  for (const [before, after] of Object.entries(replacements)) {
    if (!replaced.includes(before)) throw new Error(`the configuration has no "${before}"`);
    replaced = replaced.replaceAll(before, after);
  }
  return replaced;
}

async function accepts(port: number): Promise<boolean> {
  return Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } }).then(
    (socket) => {
      socket.end();
      return true;
    },
    () => false,
  );
}
