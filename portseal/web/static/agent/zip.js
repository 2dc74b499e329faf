// @ts-check
/** A ZIP file (PKWARE APPNOTE 6.3) of files that are in memory already: stored, not compressed. */

const UTF8_NAMES = 0x0800;
const VERSION = 20;

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, octet) => {
  let crc = octet;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? 0xedb88320 ^ (crc >>> 1) : crc >>> 1;
  return crc;
});

/**
 * @param {{name: string, content: Uint8Array}[]} files fewer than 65,536 and less than 4 GiB
 * @param {Date} [now]
 * @returns {Blob}
 */
export function zipOf(files, now = new Date()) {
  /** @type {BlobPart[]} */
  const parts = [];
  /** @type {BlobPart[]} */
  const directory = [];
  let offset = 0;
  let directorySize = 0;
  for (const { name, content } of files) {
    const named = new TextEncoder().encode(name);
    const told = facts(content, named.length, now);
    const local = record(30, [[0x04034b50, 4], [VERSION, 2], ...told, [0, 2]]);
    parts.push(local, named, content);
    const central = record(46, [
      [0x02014b50, 4], [VERSION, 2], [VERSION, 2], ...told, [0, 2], [0, 2], [0, 2], [0, 2], [0, 4],
      [offset, 4],
    ]);
    directory.push(central, named);
    offset += local.length + named.length + content.length;
    directorySize += central.length + named.length;
  }
  const count = files.length;
  const end = record(22, [
    [0x06054b50, 4], [0, 2], [0, 2], [count, 2], [count, 2], [directorySize, 4], [offset, 4], [0, 2],
  ]);
  return new Blob([...parts, ...directory, end], { type: "application/zip" });
}

/**
 * Names that differ, also where case does not count: the second `a.xml` is `a (2).xml`.
 * @param {string[]} names
 * @returns {string[]}
 */
export function different(names) {
  const taken = new Set();
  return names.map((name) => {
    const dot = name.indexOf(".", 1);
    const [stem, suffix] = dot < 0 ? [name, ""] : [name.slice(0, dot), name.slice(dot)];
    let found = name;
    for (let number = 2; taken.has(found.toLowerCase()); number += 1) {
      found = `${stem} (${number})${suffix}`;
    }
    taken.add(found.toLowerCase());
    return found;
  });
}

/**
 * What both headers of a file say, from its flags to the length of its name.
 * @param {Uint8Array} content
 * @param {number} nameLength
 * @param {Date} now
 * @returns {[number, number][]}
 */
function facts(content, nameLength, now) {
  const time = (now.getHours() << 11) | (now.getMinutes() << 5) | (now.getSeconds() >> 1);
  const date = ((now.getFullYear() - 1980) << 9) | ((now.getMonth() + 1) << 5) | now.getDate();
  return [
    [UTF8_NAMES, 2], [0, 2], [time, 2], [date, 2], [crc32(content), 4],
    [content.length, 4], [content.length, 4], [nameLength, 2],
  ];
}

/**
 * @param {number} length octets
 * @param {[number, number][]} fields value and octets, little-endian
 */
function record(length, fields) {
  const view = new DataView(new ArrayBuffer(length));
  let place = 0;
  for (const [value, octets] of fields) {
    if (octets === 2) view.setUint16(place, value, true);
    else view.setUint32(place, value, true);
    place += octets;
  }
  return new Uint8Array(view.buffer);
}

/** @param {Uint8Array} content */
function crc32(content) {
  let crc = 0xffffffff;
  for (const octet of content) crc = CRC_TABLE[(crc ^ octet) & 0xff] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}
