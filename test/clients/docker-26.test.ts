import { dockerEngineSuite } from "../support/docker.suite.ts";

await dockerEngineSuite({
  title: "docker 26, graph store",
  dockerd: "dockerd-26",
  docker: "docker-26",
  store: "graph",
});

await dockerEngineSuite({
  title: "docker 26, containerd store",
  dockerd: "dockerd-26",
  docker: "docker-26",
  store: "containerd",
});
