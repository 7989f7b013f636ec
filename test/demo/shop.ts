/**
 * A small shop of services, the smallest that shows every thing the main job must do: two namespaces, a Deployment
 * with two pods, a StatefulSet, two services on the same port, ports 80 and 443, named and numbered target ports.
 */
import { testApp } from "../cluster/test-app.ts";
import { testAppImage } from "../cluster/test-images.ts";

/** Where the shop is. Names with a dash are no top-level domains, so that `cart.<namespace>` is written too. */
export interface ShopNamespaces {
  readonly shop: string;
  readonly bank: string;
}

/** What to wait for before the shop is open: selector and number of ready pods. */
export const shopPods = [
  { room: "shop", selector: "app=cart", count: 2 },
  { room: "shop", selector: "app=web", count: 1 },
  { room: "bank", selector: "app=ledger", count: 2 },
] as const;

/** The objects, namespaces first. */
export function shopObjects({ shop, bank }: ShopNamespaces): readonly object[] {
  return [
    namespaceObject(shop),
    namespaceObject(bank),
    ...testApp({
      name: "cart",
      namespace: shop,
      replicas: 2,
      ports: [
        { name: "http", port: 80, targetPort: "http" },
        { name: "echo", port: 7000 },
        { name: "refused", port: 7999 },
      ],
    }),
    ...testApp({
      name: "web",
      namespace: shop,
      httpPorts: [8081, 8443],
      ports: [
        { name: "http", port: 80, targetPort: 8081 },
        { name: "https", port: 443, targetPort: 8443 },
      ],
    }),
    ...ledger(bank),
  ];
}

function namespaceObject(name: string): object {
  return { apiVersion: "v1", kind: "Namespace", metadata: { name, labels: { "localizer.dev/test": "shop" } } };
}

/** A StatefulSet with the headless service that governs it. */
function ledger(namespace: string): readonly object[] {
  const labels = { app: "ledger" };
  const container = {
    name: "app",
    image: testAppImage,
    imagePullPolicy: "Never",
    env: [{ name: "NAME", value: "ledger" }],
    ports: [{ name: "api", containerPort: 7003 }],
    readinessProbe: { httpGet: { port: "api" }, periodSeconds: 1 },
  };
  return [
    {
      apiVersion: "apps/v1",
      kind: "StatefulSet",
      metadata: { name: "ledger", namespace, labels },
      spec: {
        replicas: 2,
        serviceName: "ledger",
        podManagementPolicy: "Parallel",
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: { terminationGracePeriodSeconds: 1, dnsPolicy: "Default", containers: [container] },
        },
      },
    },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "ledger", namespace, labels },
      spec: { clusterIP: "None", selector: labels, ports: [{ name: "api", port: 7003, targetPort: "api" }] },
    },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "accounts", namespace, labels },
      spec: { selector: labels, ports: [{ name: "http", port: 80, targetPort: "api" }] },
    },
  ];
}
