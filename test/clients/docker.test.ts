import { dockerEngineSuite } from "../support/docker.suite.ts";

await dockerEngineSuite({
  title: "docker 20.10, graph store",
  dockerd: "dockerd",
  docker: "docker",
  store: "graph",
});
