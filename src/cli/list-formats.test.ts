import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { cart, ledger, someCluster } from "../../test/rpc/fake-daemon.ts";
import { exposedCart } from "../../test/rpc/fake-exposure.ts";
import type { ServiceList } from "../rpc/listed.ts";
import { clusterLine, listFormats, shortReason } from "./list-formats.ts";

const cluster = someCluster.cluster();
const found: ServiceList = { cluster, notices: [], services: [cart, ledger], leftOut: [], selector: "", exposures: [] };

function print(format: string, list: Partial<ServiceList> = {}): string {
  return (
    listFormats[format]?.({ ...found, ...list }, exposedCart.since + 200_000) ?? assert.fail(`no format ${format}`)
  );
}

describe("clusterLine()", () => {
  it("names context, cluster and server, and the namespaces when only some are followed", () => {
    assert.equal(clusterLine(cluster), 'Context "kind", cluster "kind-kind" at https://127.0.0.1:6443/');
    assert.match(clusterLine({ ...cluster, namespaces: ["a", "b"] }), /:6443\/, namespaces a, b only$/);
    assert.match(clusterLine({ ...cluster, namespaces: ["a"] }), /, namespace a only$/);
  });

  it("stays one line, whatever the kubeconfig says", () => {
    assert.equal(clusterLine({ ...cluster, context: "a\n\u001b[2Jb" }).split("\n").length, 1);
  });
});

describe("listFormats table", () => {
  it("starts with the cluster and a line for each notice", () => {
    const notices = ["The API server cannot be reached", "two\nlines"];
    const lines = print("table", { notices }).split("\n");
    assert.deepEqual(lines.slice(0, 3), [clusterLine(cluster), "The API server cannot be reached", "two lines"]);
    assert.match(lines[3] ?? "", /^NAMESPACE +NAME +STATUS +REASON +ENDPOINT +IP ADDRESS +PORT\(S\)$/);
  });

  it("does without a cluster when the daemon is too old to tell", () => {
    assert.match(print("table", { cluster: undefined }), /^NAMESPACE /);
  });
});

describe("shortReason()", () => {
  it("is the first clause, of at most 60 letters, with an ellipsis for what is left out", () => {
    assert.equal(shortReason("no pod is ready"), "no pod is ready");
    assert.equal(shortReason("no pod is ready; port 80 listens on 8080"), "no pod is ready …");
    const long = shortReason("word ".repeat(40));
    assert.deepEqual([long.length <= 60, long.endsWith(" …")], [true, true]);
  });

  it("stands in the table alone: wide has all of it", () => {
    const services = [{ ...cart, statusReason: "one; two" }];
    assert.match(print("table", { services }), /Running +one … +cart/);
    assert.match(print("wide", { services }), /Running +one; two +cart/);
  });
});

describe("listFormats wide", () => {
  it("adds names, each port and each pod", () => {
    const port = { ...cart.portRows[0], lastError: "nothing listens there" };
    const pods = cart.pods.map((pod) => ({ ...pod, ports: cart.portRows }));
    const cells = print("wide", {
      services: [{ ...cart, portRows: [Object.assign({}, ...cart.portRows, port)], pods }],
    })
      .split("\n")
      .map((line) => line.trimEnd().split(/ {2,}/));
    const [[head] = [], header, ...rows] = cells;
    assert.match(head ?? "", /, port-forwards by post-spdy$/);
    assert.deepEqual(header?.slice(-3), ["READY", "CONNECTIONS", "NAMES"]);
    const names = "cart.shop.svc.cluster.local,cart.shop.svc";
    assert.deepEqual(rows, [
      ["shop", "cart", "Running", "cart-7d9f-abcde", "127.1.2.3", "80/TCP,9090/TCP", names],
      ["", "80/TCP", "Running", "last failure: nothing listens there", "127.1.2.3:80", "2", "1"],
      ["", "cart-0", "cart-0", "127.1.2.4", "80/TCP", "cart-0.cart.shop.svc"],
      ["", "80/TCP", "Running", "127.1.2.3:80", "2", "1"],
      [""],
    ]);
  });
});

describe("listFormats json", () => {
  it("has everything, under the names of the wire", () => {
    assert.deepEqual(JSON.parse(print("json")), found);
  });
});

describe("listFormats hosts", () => {
  it("prints a line for each service and pod that has names", () => {
    assert.equal(
      print("hosts"),
      "127.1.2.3 cart.shop.svc.cluster.local cart.shop.svc\n127.1.2.4 cart-0.cart.shop.svc\n",
    );
    assert.equal(print("hosts", { services: [ledger] }), "");
  });

  it("lets nothing through that a hosts file could misread", () => {
    const names = ["cart.shop.svc", "evil\n10.0.0.1 bank.example", "#", "127.0.0.1"];
    const elsewhere = { ...cart, ip: "10.0.0.1", pods: [] };
    assert.equal(print("hosts", { services: [{ ...cart, names, pods: [] }, elsewhere] }), "127.1.2.3 cart.shop.svc\n");
  });
});

describe("listFormats with exposures", () => {
  const exposures = [exposedCart];

  it("table has them below the services, whose rows note it", () => {
    const [services = "", exposed = ""] = print("table", { exposures }).split("\n\n");
    assert.match(services, /^shop +cart +Running +exposed to port 8080 +cart-7d9f/m);
    assert.deepEqual(
      exposed
        .trimEnd()
        .split("\n")
        .map((line) => line.split(/ {3,}/)),
      [
        ["NAMESPACE", "EXPOSED", "STATE", "PORTS", "OWNERS", "AGE", "IN", "OUT", "NOTE"],
        [
          ...["shop", "cart", "Exposed", "8080←80", "Deployment cart 2→0", "3m", "1.5KiB", "5.0TiB"],
          "no local process on port 8080",
        ],
      ],
    );
  });

  it("say what else there is to say", () => {
    const services = [{ ...cart, statusReason: "one; two" }];
    const lost = { ...exposedCart, state: "lost", reason: "taken over by alice@host", ports: [], owners: [] };
    const table = print("table", { services, exposures: [lost] });
    assert.match(table, /Running +one …; exposed \(lost\) +cart/);
    assert.match(table, /^shop +cart +Lost +None +3m +0B +0B +taken over by alice@host$/m);
    assert.match(print("wide", { services, exposures: [lost] }), /Running +one; two; exposed \(lost\) +cart/);
  });

  it("wide adds the pod, the holder and each port", () => {
    const [, exposed = ""] = print("wide", { exposures }).split("\n\n");
    const [, row, port] = exposed.split("\n").map((line) => line.trimEnd().split(/ {3,}/));
    assert.deepEqual(row?.slice(-2), ["localizer-cart-0f0e0d0c", "dev@laptop"]);
    assert.deepEqual(port?.slice(-8), [
      ...["http", "8080←80", "1.5KiB", "5.0TiB", "1", "12", "3"],
      "no local process on port 8080",
    ]);
  });

  it("json has everything, and nothing else changes when there are none", () => {
    assert.deepEqual(JSON.parse(print("json", { exposures })).exposures, exposures);
    for (const format of ["table", "wide"]) assert.doesNotMatch(print(format), /EXPOSED|\n\n/);
    assert.equal(print("hosts", { exposures }), print("hosts"));
  });
});
