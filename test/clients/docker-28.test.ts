import { dockerEngineSuite } from "../support/docker.suite.ts";

await dockerEngineSuite({
  title: "docker 28, containerd store",
  dockerd: "dockerd-28",
  docker: "docker-28",
  store: "containerd",
});
