/* The figures that are read first. */

export interface Tile {
  readonly label: string;
  readonly value: string;
  readonly about?: string | undefined;
}

export function Tiles({ tiles, label }: { readonly tiles: readonly Tile[]; readonly label: string }) {
  return (
    <dl className="tiles" aria-label={label}>
      {tiles.map((tile) => (
        <div key={tile.label} className="tile" data-tile={tile.label}>
          <dt>{tile.label}</dt>
          <dd className="tile-value">{tile.value}</dd>
          {tile.about && <dd className="tile-about">{tile.about}</dd>}
        </div>
      ))}
    </dl>
  );
}
