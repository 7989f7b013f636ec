import assert from "node:assert/strict";
import { test } from "node:test";
import { isLocalizer, programName } from "./program-name.ts";

const table: readonly (readonly [command: string, name: string])[] = [
  ["/usr/sbin/nginx -g daemon", "nginx"],
  ["/usr/bin/node /srv/app/server.js --port 8080", "node server.js"],
  ["node --require ./hook.js --inspect server.ts", "node server.ts"],
  ["node -e server()", "node"],
  ["node", "node"],
  ["/usr/bin/python3.12 -u -m http.server 8080", "python3.12 http.server"],
  ["python3 manage.py runserver", "python3 manage.py"],
  ["ruby -I lib bin/rails server", "ruby rails"],
  ["java -Xmx1g -cp a.jar:b.jar com.example.Main", "java com.example.Main"],
  ["java -jar /opt/app.jar", "java app.jar"],
  ["deno run --allow-net main.ts", "deno main.ts"],
  ["bun index.ts", "bun index.ts"],
  ["php -S 0.0.0.0:8080 -t public", "php"],
  ["php -S 0.0.0.0:8080 router.php", "php router.php"],
  ["sh -c serve", "sh"],
  ["", ""],
];

for (const [command, name] of table) {
  test(`programName() calls ${JSON.stringify(command)} ${JSON.stringify(name)}`, () => {
    assert.equal(programName(command.split(" ")), name);
  });
}

test("isLocalizer() knows localizer however it was started, and nothing that only names it", () => {
  const commands = [
    "/usr/bin/node /opt/localizer/dist/bin/localizer.js run",
    "node /src/bin/localizer.ts run",
    "/usr/local/bin/localizer up",
    "node /usr/local/bin/localizer",
    "node server.js localizer",
    "vi /src/bin/localizer.ts",
    "node -e localizer",
  ];
  assert.deepEqual(
    commands.map((command) => isLocalizer(command.split(" "))),
    [true, true, true, true, false, false, false],
  );
});
