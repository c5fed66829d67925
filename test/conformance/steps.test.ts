/**
 * The steps of the official conformance runner in our own words, against the program as people
 * start it: with a password file, which the runner may be asked for once or at every request, and
 * in the configuration in which sparse manifests are accepted.
 */
import { describe, test } from "bun:test";
import { password, startEndpoint, user } from "../support/endpoints.ts";
import { type RegistryServer, startRegistry } from "../support/registry-server.ts";
import { sparseDataSet } from "../wire/conformance/data-sets.ts";
import type { Credentials } from "../wire/conformance/go-http.ts";
import { SuiteClient } from "../wire/conformance/suite-client.ts";
import { type Players, playAll, playDataSet } from "../wire/conformance/suite-steps.ts";

async function play(
  server: RegistryServer,
  work: (players: Players) => Promise<void>,
  credentials?: Credentials,
): Promise<void> {
  const source = "conformance/two";
  const client = new SuiteClient(server.origin, "conformance/one", credentials);
  const other = new SuiteClient(server.origin, source, credentials);
  try {
    await work({ client, other, source });
  } finally {
    client.close();
    other.close();
    await server.stop();
  }
}

describe("the official runner's steps", () => {
  for (const areRemembered of [true, false]) {
    test(`with a password ${areRemembered ? "asked for once" : "asked for at every request"}`, async () => {
      const { server } = await startEndpoint("htpasswd");
      await play(server, playAll, { user, password, areRemembered });
    });
  }

  test("where manifests are not validated, sparse ones too", async () => {
    const server = await startRegistry({ config: { validation: { disabled: true } } });
    await play(server, async (players) => {
      await playAll(players);
      await playDataSet(players.client, sparseDataSet());
    });
  });
});
