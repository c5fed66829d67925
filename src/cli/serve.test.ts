import { expect, test } from "bun:test";
import { stripVTControlCharacters } from "node:util";
import { loadConfig } from "../config/load.ts";
import { firstSteps } from "./serve.ts";

function authenticationLine(environment: Readonly<Record<string, string>>): string | undefined {
  const { config } = loadConfig({ environment });
  const said = firstSteps({ origin: "http://localhost:5000", dataFolder: "/data" }, config);
  const lines = stripVTControlCharacters(said).split("\n");
  return lines.find((line) => line.startsWith("Authentication"));
}

test("the first steps say what anybody may do, and not that authentication is off when it is on", () => {
  expect(authenticationLine({})).toBe(
    "Authentication is off: whoever reaches this port may push and delete.",
  );
  expect(authenticationLine({ REGISTRY_STORAGE_DELETE_ENABLED: "false" })).toBe(
    "Authentication is off: whoever reaches this port may push.",
  );
  expect(authenticationLine({ REGISTRY_STORAGE_MAINTENANCE_READONLY_ENABLED: "true" })).toBe(
    "Authentication is off: whoever reaches this port may pull.",
  );
  const htpasswd = "{realm: r, path: /etc/berth/htpasswd}";
  expect(authenticationLine({ REGISTRY_AUTH_HTPASSWD: htpasswd })).toBe(
    "Authentication is on (htpasswd).",
  );
});
