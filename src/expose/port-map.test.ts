import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { port } from "../model/port.ts";
import { mapPorts, mapWarnings, type ServedPort } from "./port-map.ts";

const served = (servicePort: number, name: string, remote: number, remoteName = ""): ServedPort => ({
  servicePort: port(servicePort),
  name,
  remote: port(remote),
  remoteName,
});
const one = [served(80, "http", 8080, "web")];
/** 9090 is a port of the pods and another one of the Service. */
const several = [served(80, "http", 8080, "web"), served(9090, "metrics", 9100), served(9200, "", 9090)];
const twins = [served(80, "http", 8080, "web"), served(8000, "old", 8080, "web")];

describe("mapPorts()", () => {
  for (const [maps, ports, locals] of [
    [[], several, [8080, 9100, 9090]],
    [["3000:8080"], one, [3000]],
    [["3000:80"], one, [3000]],
    [["3000:http"], one, [3000]],
    [["3000:web"], one, [3000]],
    [["8080"], one, [8080]],
    [["80"], one, [80]],
    [["3000:8080"], several, [3000, 9100, 9090]],
    [["3000:9090"], several, [8080, 9100, 3000]],
    [["3000:metrics"], several, [8080, 3000, 9090]],
    [["3000:9100", "3001:9200"], several, [8080, 3000, 3001]],
    [["3000:80", "3000:metrics"], several, [3000, 3000, 9090]],
    [["3000:old"], twins, [3000, 3000]],
    [["3000:web"], twins, [3000, 3000]],
    [["1:65535"], [served(1, "", 65535)], [1]],
  ] as const) {
    it(`makes ${JSON.stringify(locals)} of ${JSON.stringify(maps)}`, () => {
      assert.deepEqual(
        mapPorts(maps, ports).map(({ local }) => local),
        locals,
      );
    });
  }

  it("keeps all else", () => {
    assert.deepEqual(mapPorts(["3000:80"], one), [
      { servicePort: 80, name: "http", remote: 8080, remoteName: "web", local: 3000 },
    ]);
  });

  const form = 'want LOCAL:PORT, such as "8080:80" or "8080:http"';
  const there = "80 (http) to 8080 (web) of the pods";
  for (const [maps, ports, sentence] of [
    [[""], one, `Cannot map ports by "": ${form}; there is ${there}`],
    [[":80"], one, `Cannot map ports by ":80": ${form}; there is ${there}`],
    [["80:"], one, `Cannot map ports by "80:": ${form}; there is ${there}`],
    [["1:2:3"], one, `Cannot map ports by "1:2:3": ${form}; there is ${there}`],
    [["0:80"], one, `Cannot map ports by "0:80": ${form}; there is ${there}`],
    [["65536:80"], one, `Cannot map ports by "65536:80": ${form}; there is ${there}`],
    [["0x50:80"], one, `Cannot map ports by "0x50:80": ${form}; there is ${there}`],
    [["http:8080"], one, `Cannot map ports by "http:8080": ${form}; there is ${there}`],
    [["3000:81"], one, `Cannot map ports by "3000:81": the Service has no TCP port "81"; there is ${there}`],
    [
      ["3000:grpc"],
      several,
      'Cannot map ports by "3000:grpc": the Service has no TCP port "grpc"; there is ' +
        `${there}, 9090 (metrics) to 9100 of the pods, 9200 to 9090 of the pods`,
    ],
    [
      ["3000:80", "3001:http"],
      one,
      `Cannot map ports by "3001:http": port 8080 is mapped by "3000:80" already; there is ${there}`,
    ],
    [
      ["3000:80", "3000:old"],
      twins,
      'Cannot map ports by "3000:old": port 8080 is mapped by "3000:80" already; there is ' +
        `${there}, 8000 (old) to 8080 (web) of the pods`,
    ],
  ] as const) {
    it(`refuses ${JSON.stringify(maps)}`, () => {
      assert.throws(() => mapPorts(maps, ports), { code: "usage", message: sentence });
    });
  }

  const numbers = fc.integer({ min: 1, max: 65_535 });
  const services = fc.uniqueArray(fc.record({ servicePort: numbers, remote: numbers }), {
    minLength: 1,
    selector: ({ servicePort }) => servicePort,
  });

  it("sends each port of the pods to one local port, whatever is mapped", () => {
    fc.assert(
      fc.property(services, fc.array(numbers), (wanted, locals) => {
        const ports = wanted.map(({ servicePort, remote }) => served(servicePort, "", remote));
        const remotes = [...new Set(ports.map(({ remote }) => remote))];
        const maps = remotes.flatMap((remote, index) => {
          const local = locals[index];
          return local === undefined ? [] : [`${local}:${remote}`];
        });
        const mapped = mapPorts(maps, ports);
        assert.deepEqual(
          mapped.map(({ local: _, ...rest }) => rest),
          ports,
        );
        for (const { remote, local } of mapped) assert.equal(local, locals[remotes.indexOf(remote)] ?? remote);
      }),
    );
  });

  it("refuses with a usage error or not at all", () => {
    fc.assert(
      fc.property(fc.array(fc.string()), (maps) => {
        try {
          for (const { local } of mapPorts(maps, several)) assert.equal(local, port(local));
        } catch (error) {
          assert.equal(error instanceof Error && Reflect.get(error, "code"), "usage");
        }
      }),
    );
  });
});

describe("mapWarnings()", () => {
  for (const [maps, ports, sentences] of [
    [[], several, []],
    [["3000:80"], one, []],
    [["3000:http"], twins, []],
    [["3000:80", "3001:metrics", "3002:9090"], several, []],
    [
      ["9090:metrics"],
      several,
      [
        "Port 8080 of the pods is not mapped: it leads to local port 8080",
        "Port 9090 of the pods is not mapped: it leads to local port 9090",
        "Local port 9090 gets what comes for ports 9100 and 9090 of the pods",
      ],
    ],
  ] as const) {
    it(`says ${sentences.length} things of ${JSON.stringify(maps)} for ${ports.length} ports`, () => {
      assert.deepEqual(mapWarnings(maps, mapPorts(maps, ports)), sentences);
    });
  }
});
