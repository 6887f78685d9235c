import OctNetCore
import OctNetSupport

/// A file of images that are decoded and resized already, in two or three parts, which `write` makes and `octcli prepare`
/// writes.
///
/// The file is mapped: an image costs its bytes, and memory holds as much of the file as the system finds room for. Header
/// and index are checked when the file is opened, and every image by a checksum of its own when it is read; see
/// docs/prepared.md.
public struct PreparedFile: Sendable {
  /// As it was opened.
  public let path: String
  /// The data that it was made of: `folder:photos`.
  public let source: String
  /// All parts, and what is known of their images.
  public let data: DataSplit

  /// - Parameters:
  ///   - path: the file.
  ///   - skipsDamaged: goes on without images whose checksum is wrong.
  /// - Throws: `OctNetError.file` for another file, one of another version, and one that is cut, damaged or contradicts
  ///   itself: with the offset, what was found and what was expected.
  public init(path: String, skipsDamaged: Bool = false) throws(OctNetError) {
    let file = try MappedFile(FileReader(path: path))
    let header = try PreparedHeader(file.bytes, path: path)
    let rest = UnsafeRawBufferPointer(rebasing: file.bytes[header.index...])
    let found = PreparedLayout.checksum(rest)
    guard found == header.indexChecksum else {
      throw OctNetError.file(
        path: path,
        "damaged: the index, bytes \(header.index) to \(header.fileSize - 1), has the checksum \(found), expected "
          + "\(header.indexChecksum) (byte 40)")
    }
    let index: PreparedIndex
    do throws(StrictJSON.Failure) {
      index = try StrictJSON.decode(PreparedIndex.self, from: Array(rest.prefix(header.indexText)))
    } catch {
      throw OctNetError.file(path: path, "index at byte \(header.index): \(error.problem)")
    }
    try index.validate(header, path: path)
    var parts: [PreparedImages] = []
    var entries = header.index + header.indexText
    for part in index.parts {
      var images = try PreparedImages(part, of: index, in: file, entries: entries, path: path)
      images.skipsDamaged = skipsDamaged
      parts.append(images)
      entries += part.images * PreparedLayout.entrySize
    }
    self.path = path
    source = index.data
    var data = DataSplit(
      train: parts[0], test: parts[1], validation: parts.count > 2 ? parts[2] : nil,
      normalization: index.normalization)
    data.preparation = ImagePreparation(
      evaluation: index.evaluation, exifOrientation: index.exifOrientation ?? false)
    self.data = data
  }
}

/// How photographs became the images of a data set, which does not have them any more.
public struct ImagePreparation: Equatable, Sendable {
  /// `nil` where they came to their size as by default.
  public var evaluation: EvaluationSettings?
  /// Whether they were turned as EXIF says.
  public var exifOrientation: Bool

  /// As given.
  public init(evaluation: EvaluationSettings? = nil, exifOrientation: Bool = false) {
    self.evaluation = evaluation
    self.exifOrientation = exifOrientation
  }
}

/// One part of a file.
struct PreparedImages: Dataset {
  let name: String
  let height, width, channels: Int
  let classNames: [String]
  var skipsDamaged = false
  private let path: String
  private let file: MappedFile
  /// Of the first image's pixels.
  private let start: Int
  private let labels: [UInt32]
  private let checksums: [UInt32]

  /// - Parameter entries: where the part's labels and checksums are.
  /// - Throws: `OctNetError.file` for a label that is no class.
  init(
    _ part: PreparedIndex.Part, of index: PreparedIndex, in file: MappedFile, entries: Int, path: String
  ) throws(OctNetError) {
    name = part.name
    (height, width, channels) = (index.height, index.width, index.channels)
    classNames = index.classNames
    self.path = path
    self.file = file
    start = part.pixels
    func numbers(_ offset: Int) -> [UInt32] {
      (0..<part.images).map {
        file.bytes.number(at: entries + $0 * PreparedLayout.entrySize + offset, as: UInt32.self)
      }
    }
    labels = numbers(0)
    checksums = numbers(4)
    if let wrong = labels.firstIndex(where: { $0 >= index.classNames.count }) {
      throw OctNetError.file(
        path: path,
        "label \(labels[wrong]) at byte \(entries + wrong * PreparedLayout.entrySize) (image \(wrong) of "
          + "\(part.part)), expected 0 to \(index.classNames.count - 1)")
    }
  }

  var count: Int { labels.count }

  func label(at index: Int) -> Int { Int(labels[index]) }

  // Crops are parts of what is mapped, made by several threads.
  var hasPhotographs: Bool { channels == 1 || channels == 3 }

  func withPhotograph(at index: Int, _ body: (PixelView) -> Void) throws(OctNetError) {
    guard let base = try pixels(at: index).bindMemory(to: UInt8.self).baseAddress else { return }
    body(PixelView(base, width: width, height: height, channels: channels))
  }

  func copyPixels(at index: Int, to destination: UnsafeMutablePointer<UInt8>) throws(OctNetError) {
    let pixels = try pixels(at: index)
    UnsafeMutableRawBufferPointer(start: destination, count: imageSize).copyMemory(from: pixels)
  }

  /// - Throws: `OctNetError.file` for pixels that are not what was written.
  private func pixels(at index: Int) throws(OctNetError) -> UnsafeRawBufferPointer {
    precondition(labels.indices.contains(index), "image \(index) of \(count)")
    let first = start + index * imageSize
    file.willNeed(first..<first + imageSize)
    let pixels = UnsafeRawBufferPointer(rebasing: file.bytes[first..<first + imageSize])
    let found = PreparedLayout.checksum(pixels)
    guard found == checksums[index] else {
      throw OctNetError.file(
        path: path,
        "damaged: image \(index) of \(name), bytes \(first) to \(first + imageSize - 1), has the checksum \(found), "
          + "expected \(checksums[index])")
    }
    return pixels
  }
}
