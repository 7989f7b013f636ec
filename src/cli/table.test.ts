import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatTable } from "./table.ts";

describe("formatTable()", () => {
  it("aligns columns and leaves no space at a line's end", () => {
    assert.equal(
      formatTable(
        ["A", "LONG", "C"],
        [
          ["aaa", "b", ""],
          ["", "", "c"],
        ],
      ),
      "A     LONG   C\naaa   b\n             c\n",
    );
  });

  it("lets no control character through", () => {
    assert.equal(formatTable(["A"], [["one\n\u001b[31mtwo\u009b"]]), "A\none [31mtwo\n");
  });
});
