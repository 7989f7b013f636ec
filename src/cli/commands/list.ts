/** `localizer list`: which cluster it is, every Service and how it stands. */
import { LocalizerError } from "../../errors.ts";
import { whyAbsent } from "../absence.ts";
import { byName } from "../by-name.ts";
import type { Command } from "../command.ts";
import { daemonClient } from "../daemon-client.ts";
import { namespacesOf } from "../daemon-settings.ts";
import { type FlagValues, one } from "../flag-values.ts";
import { type ListFormat, listFormats } from "../list-formats.ts";

const formats = Object.keys(listFormats);

/** The columns are those of the original. */
export const list: Command = {
  name: "list",
  operands: "",
  maxOperands: 0,
  summary: "show every Service, its address and how it stands",
  details:
    "With --namespace, or $LOCALIZER_NAMESPACE, only Services of those namespaces are shown. What is exposed stands below the Services: PORTS is the port here, then the pod's; IN and OUT are bytes from the cluster to the local process, and back. wide adds names, each port, the pods of headless Services and reasons in full; json has everything; hosts prints the lines of a hosts file, for a daemon that runs without root.",
  flags: {
    output: {
      type: "string",
      short: "o",
      value: "FORMAT",
      text: "table, wide, json or hosts; default table",
      choices: formats,
    },
  },
  async run({ io, flags }) {
    const format = formatOf(flags);
    const { client } = await daemonClient(flags, io);
    await using _client = client;
    const wanted = new Set(namespacesOf(flags, "namespace"));
    const found = await client.list();
    const services = found.services.filter(({ namespace }) => wanted.size === 0 || wanted.has(namespace));
    const absent = [...wanted].filter((namespace) => !services.some((service) => service.namespace === namespace));
    const why = absent.map((namespace) => whyAbsent({ namespace }, found)?.message);
    const notices = [...found.notices, ...why.filter((text) => text !== undefined)];
    const exposures = found.exposures
      .filter(({ namespace }) => wanted.size === 0 || wanted.has(namespace))
      .toSorted((a, b) => byName({ ...a, name: a.service }, { ...b, name: b.service }));
    io.stdout(format({ ...found, notices, services: services.toSorted(byName), exposures }, io.clock.now()));
    return 0;
  },
};

/** @throws LocalizerError `usage` for a word that names no format */
function formatOf(flags: FlagValues): ListFormat {
  const name = one(flags, "output") ?? "table";
  const format = Object.hasOwn(listFormats, name) ? listFormats[name] : undefined;
  if (format !== undefined) return format;
  throw new LocalizerError(
    "usage",
    `Cannot print as "${name}": want ${formats.slice(0, -1).join(", ")} or ${formats.at(-1)}`,
  );
}
