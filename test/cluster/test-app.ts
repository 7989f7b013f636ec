/**
 * Objects that run the test application (app/main.go): one pod template, one Service in front.
 */
import { testAppImage } from "./test-images.ts";

/** A port of a Service, as Kubernetes writes it. */
export interface ServicePort {
  readonly name: string;
  readonly port: number;
  readonly targetPort?: number | string;
  readonly protocol?: "TCP" | "UDP";
}

/** How the application is deployed. */
export interface TestAppOptions {
  readonly name: string;
  /** Default: "default". The namespace has to exist. */
  readonly namespace?: string;
  readonly replicas?: number;
  /** Ports of the Service. Default: `testAppPorts`. */
  readonly ports?: readonly ServicePort[];
  /** More ports that answer HTTP in the pods. */
  readonly httpPorts?: readonly number[];
  /**
   * A pod that is to end goes on for so long, as those do that lose nothing in a rollout. Default 0: it ends at once, and with it
   * what it was at.
   */
  readonly preStopSeconds?: number;
}

/** One port for each way to behave. Nobody listens on "refused". */
export const testAppPorts: readonly ServicePort[] = [
  { name: "http", port: 80, targetPort: 7003 },
  { name: "echo", port: 7000 },
  { name: "sink", port: 7001 },
  { name: "source", port: 7002 },
  { name: "half-close", port: 7004 },
  { name: "never-reads", port: 7005 },
  { name: "closes-early", port: 7006 },
  { name: "slow", port: 7007 },
  { name: "refused", port: 7999 },
  { name: "echo-udp", port: 7000, protocol: "UDP" },
];

/** A Deployment and a Service of the same name; pods carry the label `app=NAME`, and http answers with NAME. */
export function testApp(options: TestAppOptions): readonly object[] {
  const { name, namespace = "default", replicas = 1, ports = testAppPorts } = options;
  const labels = { app: name };
  const metadata = { name, namespace, labels };
  return [
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata,
      spec: { replicas, selector: { matchLabels: labels }, template: podTemplate(options, labels) },
    },
    { apiVersion: "v1", kind: "Service", metadata, spec: { selector: labels, ports } },
  ];
}

function podTemplate({ name, httpPorts = [], preStopSeconds = 0 }: TestAppOptions, labels: object): object {
  return {
    metadata: { labels },
    spec: {
      terminationGracePeriodSeconds: 1 + preStopSeconds,
      // There is no cluster DNS.
      dnsPolicy: "Default",
      containers: [
        {
          name: "app",
          image: testAppImage,
          imagePullPolicy: "Never",
          env: [
            { name: "NAME", value: name },
            { name: "HTTP_PORTS", value: httpPorts.join(",") },
          ],
          ports: [{ name: "http", containerPort: 7003 }],
          readinessProbe: { httpGet: { port: "http" }, periodSeconds: 1 },
          ...(preStopSeconds > 0 && { lifecycle: { preStop: { sleep: { seconds: preStopSeconds } } } }),
        },
      ],
    },
  };
}
