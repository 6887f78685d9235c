import OctNetCore
import OctNetSupport

extension PreparedFile {
  /// Bytes that are read before they are written.
  private static let chunkSize = 16 << 20

  /// Writes all images of `data` under a temporary name, and renames the file when it is complete and on the disk.
  ///
  /// - Parameters:
  ///   - data: of one size and with 8 bits a channel. Test and validation images get the numbers of training's classes.
  ///   - source: what the file says it was made of: `folder:photos`.
  ///   - path: an earlier file is replaced at the end.
  ///   - threads: OpenMP threads that images are read with.
  ///   - onProgress: called with images done and images in all; an error that it throws ends the work, and nothing is left
  ///     of it.
  /// - Throws: `OctNetError` for other images and a disk that refuses.
  public static func write(
    _ data: DataSplit, source: String, to path: String, threads: Int = 1,
    onProgress: (_ done: Int, _ total: Int) throws -> Void = { _, _ in }
  ) throws {
    let data = try data.agreeing()
    var parts: [(part: PreparedIndex.PartName, images: any Dataset)] = [
      (.train, data.train), (.test, data.test),
    ]
    if let validation = data.validation { parts.append((.validation, validation)) }
    let first = data.train
    for (_, images) in parts {
      guard !images.hasFloatValues, images.targetSize == 0 else {
        throw OctNetError.configuration(
          key: "data",
          "\"\(images.name)\" has \(images.hasFloatValues ? "floats" : "targets"), expected pixels "
            + "and classes")
      }
      guard (images.height, images.width, images.channels) == (first.height, first.width, first.channels)
      else {
        throw OctNetError.configuration(
          key: "data",
          "images of \"\(images.name)\" are \(images.height)×\(images.width)×\(images.channels), expected "
            + "\(first.height)×\(first.width)×\(first.channels) as in training")
      }
    }
    try data.normalization.validate(channels: first.channels)
    let total = parts.reduce(0) { $0 + $1.images.count }
    try AtomicFile.write(to: path) { file in
      let output = PagedOutput(file)
      // The header comes last: what has none is no file of prepared images.
      try file.overwrite(at: 0, [0])
      try output.pad(to: PreparedLayout.page)
      var index = PreparedIndex(
        data: source, height: first.height, width: first.width, channels: first.channels,
        classNames: first.classNames, normalization: data.normalization,
        evaluation: data.preparation?.evaluation,
        exifOrientation: data.preparation?.exifOrientation == true ? true : nil, parts: [])
      var entries: [UInt32] = []
      entries.reserveCapacity(2 * total)
      var done = 0
      for (part, images) in parts {
        index.parts.append(
          PreparedIndex.Part(part: part, name: images.name, images: images.count, pixels: output.position))
        try write(images, to: output, threads: threads, &entries) { written in
          done += written
          try onProgress(done, total)
        }
        try output.pad(to: PreparedLayout.aligned(output.position))
      }
      try finish(file, output, index, entries)
    }
  }

  /// The pixels of a part; its labels and checksums to `entries`.
  private static func write(
    _ images: any Dataset, to output: PagedOutput, threads: Int, _ entries: inout [UInt32],
    onWritten: (Int) throws -> Void
  ) throws {
    let size = images.imageSize
    let chunk = max(1, min(images.count, chunkSize / size))
    let pixels = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: chunk * size)
    defer { pixels.deallocate() }
    guard let base = pixels.baseAddress else { return }
    for first in stride(from: 0, to: images.count, by: chunk) {
      let count = min(chunk, images.count - first)
      let checksums = copy(images, first..<first + count, to: base, threads: threads)
      for (place, checksum) in checksums.enumerated() {
        entries += [UInt32(images.label(at: first + place)), checksum]
      }
      try output.append(UnsafeRawBufferPointer(start: base, count: count * size))
      try onWritten(count)
    }
  }

  /// - Returns: the images' checksums.
  private static func copy(
    _ images: any Dataset, _ range: Range<Int>, to base: UnsafeMutablePointer<UInt8>, threads: Int
  ) -> [UInt32] {
    let size = images.imageSize
    var results = [UInt32](repeating: 0, count: range.count)
    results.withUnsafeMutableBufferPointer { results in
      // Each thread writes to places of its own.
      nonisolated(unsafe) let results = results
      parallel(range.count, threads: threads) { places in
        for place in places {
          let pixels = base + place * size
          images.copyPixels(at: range.lowerBound + place, to: pixels)
          results[place] = PreparedLayout.checksum(UnsafeRawBufferPointer(start: pixels, count: size))
        }
      }
    }
    return results
  }

  private static func finish(
    _ file: FileWriter, _ output: PagedOutput, _ index: PreparedIndex, _ entries: [UInt32]
  ) throws {
    var text = Array(try StrictJSON.encode(index).utf8)
    while text.count % 8 != 0 { text.append(UInt8(ascii: " ")) }
    let start = output.position
    let textSize = text.count
    for entry in entries { withUnsafeBytes(of: entry.littleEndian) { text += $0 } }
    try text.withUnsafeBytes { try output.append($0) }
    let header = PreparedHeader(
      fileSize: output.position, index: start, indexText: textSize,
      indexChecksum: text.withUnsafeBytes { PreparedLayout.checksum($0) })
    try header.bytes.withUnsafeBytes { try file.overwrite(at: 0, $0) }
  }
}

/// A file that is written from its beginning to its end, and where that is now.
private final class PagedOutput {
  private let file: FileWriter
  private(set) var position = 0

  init(_ file: FileWriter) { self.file = file }

  func append(_ bytes: UnsafeRawBufferPointer) throws {
    try file.write(bytes)
    position += bytes.count
  }

  func pad(to end: Int) throws {
    let zeros = [UInt8](repeating: 0, count: end - position)
    try zeros.withUnsafeBytes { try append($0) }
  }
}

extension FileWriter {
  fileprivate func overwrite(at offset: Int, _ bytes: [UInt8]) throws(OctNetError) {
    let result: Result<Void, OctNetError> = bytes.withUnsafeBytes { bytes in
      do throws(OctNetError) { return .success(try overwrite(at: offset, bytes)) } catch {
        return .failure(error)
      }
    }
    try result.get()
  }
}
