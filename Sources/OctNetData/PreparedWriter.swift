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
  ///   - onSkipped: called with what is wrong with an image that is left out, where the data says so
  ///     (`Dataset.skipsDamaged`).
  ///   - threads: OpenMP threads that images are read with.
  ///   - onProgress: called with images done and images in all; an error that it throws ends the work, and nothing is left
  ///     of it.
  /// - Throws: `OctNetError` for other images and a disk that refuses.
  public static func write(
    _ data: DataSplit, source: String, to path: String, threads: Int = 1,
    onSkipped: (OctNetError) -> Void = { _ in },
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
        let start = output.position
        let written = try write(images, to: output, threads: threads, &entries, onSkipped: onSkipped) {
          read in
          done += read
          try onProgress(done, total)
        }
        index.parts.append(
          PreparedIndex.Part(part: part, name: images.name, images: written, pixels: start))
        try output.pad(to: PreparedLayout.aligned(output.position))
      }
      try finish(file, output, index, entries)
    }
  }

  /// The pixels of a part; its labels and checksums to `entries`.
  /// - Returns: images that were written.
  private static func write(
    _ images: any Dataset, to output: PagedOutput, threads: Int, _ entries: inout [UInt32],
    onSkipped: (OctNetError) -> Void, onRead: (Int) throws -> Void
  ) throws -> Int {
    let size = images.imageSize
    let chunk = max(1, min(images.count, chunkSize / size))
    let pixels = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: chunk * size)
    defer { pixels.deallocate() }
    guard let base = pixels.baseAddress else { return 0 }
    var written = 0, problem: OctNetError?
    for first in stride(from: 0, to: images.count, by: chunk) {
      let count = min(chunk, images.count - first)
      var kept = 0
      for (place, result) in copy(images, first..<first + count, to: base, threads: threads).enumerated() {
        do throws(OctNetError) {
          entries += [UInt32(images.label(at: first + place)), try result.get()]
          if kept != place { (base + kept * size).update(from: base + place * size, count: size) }
          kept += 1
        } catch {
          guard images.skipsDamaged else { throw error }
          problem = problem ?? error
          onSkipped(error)
        }
      }
      try output.append(UnsafeRawBufferPointer(start: base, count: kept * size))
      written += kept
      try onRead(count)
    }
    if written == 0, let problem { throw problem }
    return written
  }

  /// - Returns: the images' checksums.
  private static func copy(
    _ images: any Dataset, _ range: Range<Int>, to base: UnsafeMutablePointer<UInt8>, threads: Int
  ) -> [Result<UInt32, OctNetError>] {
    let size = images.imageSize
    var results = [Result<UInt32, OctNetError>](repeating: .success(0), count: range.count)
    results.withUnsafeMutableBufferPointer { results in
      // Each thread writes to places of its own.
      nonisolated(unsafe) let results = results
      parallel(range.count, threads: threads) { places in
        for place in places {
          let pixels = base + place * size
          do throws(OctNetError) {
            try images.copyPixels(at: range.lowerBound + place, to: pixels)
            let written = UnsafeRawBufferPointer(start: pixels, count: size)
            results[place] = .success(PreparedLayout.checksum(written))
          } catch { results[place] = .failure(error) }
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
