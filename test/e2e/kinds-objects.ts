/** One Service of every kind that localizer must know what to do with, and the pods behind them. */
import { testApp } from "../cluster/test-app.ts";
import { testAppImage } from "../cluster/test-images.ts";

/** The objects, for a namespace that exists. */
export function kindsObjects(namespace: string): readonly object[] {
  const service = (name: string, spec: object) => ({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace },
    spec: { selector: { app: "shop" }, ...spec },
  });
  const web = { name: "http", port: 80, targetPort: "http" };
  return [
    // A Deployment of two pods; its own Service has a named and two numeric target ports.
    ...testApp({
      name: "shop",
      namespace,
      replicas: 2,
      httpPorts: [8443],
      ports: [web, { name: "https", port: 443, targetPort: 8443 }, { name: "echo", port: 7000 }],
    }),
    service("node-port", { type: "NodePort", ports: [{ ...web, port: 8080 }] }),
    service("load-balancer", { type: "LoadBalancer", ports: [{ ...web, port: 8080 }] }),
    service("sticky", { sessionAffinity: "ClientIP", ports: [web] }),
    service("mixed", {
      ports: [
        { name: "echo", port: 7000 },
        { name: "echo-udp", port: 7000, protocol: "UDP" },
      ],
    }),
    service("only-udp", { ports: [{ name: "echo-udp", port: 7000, protocol: "UDP" }] }),
    service("elsewhere", { type: "ExternalName", externalName: "db.example.com", selector: undefined }),
    service("by-hand", { selector: undefined, ports: [web] }),
    service("nobody", { selector: { app: "nobody" }, ports: [web] }),
    service("mistyped", { ports: [{ ...web, targetPort: "nosuch" }] }),
    service("unready", { selector: { app: "unready" }, ports: [web] }),
    service("early", { selector: { app: "unready" }, publishNotReadyAddresses: true, ports: [web] }),
    service("db", {
      clusterIP: "None",
      selector: { app: "db" },
      ports: [{ name: "api", port: 5432, targetPort: "api" }],
    }),
    workload("StatefulSet", namespace, "db", { serviceName: "db", replicas: 2, podManagementPolicy: "Parallel" }),
    // Runs and never says that it is ready.
    workload("Deployment", namespace, "unready", { replicas: 1 }, { exec: { command: ["/no-such-program"] } }),
  ];
}

function workload(
  kind: "Deployment" | "StatefulSet",
  namespace: string,
  name: string,
  spec: object,
  readinessProbe: object = { httpGet: { port: "api" } },
): object {
  const labels = { app: name };
  const container = {
    name: "app",
    image: testAppImage,
    imagePullPolicy: "Never",
    env: [{ name: "NAME", value: name }],
    ports: [
      { name: "api", containerPort: 7003 },
      { name: "http", containerPort: 7003 },
    ],
    readinessProbe: { ...readinessProbe, periodSeconds: 1 },
  };
  return {
    apiVersion: "apps/v1",
    kind,
    metadata: { name, namespace, labels },
    spec: {
      ...spec,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: { terminationGracePeriodSeconds: 1, dnsPolicy: "Default", containers: [container] },
      },
    },
  };
}
