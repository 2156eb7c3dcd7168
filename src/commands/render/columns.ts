/** Rows of cells in columns that line up. */

/** One row. `paint` colours a cell that has its width already. */
export interface ColumnsRow {
  readonly cells: readonly string[];
  readonly paint: (text: string, column: number) => string;
}

const GAP = "  ";

/** Nothing is cut; nothing stands after the last cell of a row. */
export function columns(rows: readonly ColumnsRow[]): string {
  const count = Math.max(0, ...rows.map(({ cells }) => cells.length));
  const widths = Array.from({ length: count }, (_, column) =>
    Math.max(...rows.map(({ cells }) => cells[column]?.length ?? 0)),
  );
  return rows
    .map(({ cells, paint }) =>
      cells
        .map((cell, column) => {
          const isLast = column === cells.length - 1;
          return paint(isLast ? cell : cell.padEnd(widths[column] ?? 0), column);
        })
        .join(GAP),
    )
    .join("\n");
}
