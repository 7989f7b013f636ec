import assert from "node:assert/strict";
import { test } from "node:test";
import { foreignHosts } from "./foreign.ts";

test("foreignHosts() lists names and loopback addresses outside our block", () => {
  const file = [
    "\u00ef\u00bb\u00bf127.0.0.1 Localhost # loop",
    "  10.0.0.1\tintranet wiki",
    "::1 ip6-localhost",
    "# 127.9.9.9 commented",
    "127.5.0.1",
    "127.1.0.1 cart.shop # localizer:default",
    "127.1.0.2 mail.shop # localizer:second",
    "",
  ].join("\r\n");
  const { names, addresses } = foreignHosts(Buffer.from(file, "latin1"), "default");
  assert.deepEqual([...names], ["localhost", "intranet", "wiki", "ip6-localhost", "mail.shop"]);
  assert.deepEqual([...addresses], ["127.0.0.1", "127.1.0.2"]);
});
