import CTransforms
import Foundation
import Testing

import OctNet
@testable import OctNetData

/// Files of decoded images: what is written is read, and nothing else is.
struct PreparedTests {
  let directory: TemporaryDirectory
  init() throws { directory = try TemporaryDirectory() }

  private static let data: DataSplit = {
    var data = TinyRun.data
    data.validation = TinyImages(count: 3, seed: 9)
    data.preparation = ImagePreparation(
      evaluation: EvaluationSettings(cropRatio: 0.75, interpolation: .bicubic), exifOrientation: true)
    return data
  }()

  private func write(_ data: DataSplit = data, _ name: String = "tiny.images", threads: Int = 2) throws
    -> String
  {
    try PreparedFile.write(data, source: "tiny", to: directory(name), threads: threads)
    return directory(name)
  }

  /// Labels and pixels.
  private func images(_ dataset: any Dataset) throws -> [[Int]] {
    try (0..<dataset.count).map { index in
      var pixels = [UInt8](repeating: 0, count: dataset.imageSize)
      try dataset.copyPixels(at: index, to: &pixels)
      return [dataset.label(at: index)] + pixels.map(Int.init)
    }
  }

  @Test func whatIsWrittenIsRead() throws {
    let path = try write()
    let file = try PreparedFile(path: path)
    let parts = [
      (file.data.train, Self.data.train), (file.data.test, Self.data.test),
      (try #require(file.data.validation), try #require(Self.data.validation)),
    ]
    for (found, expected) in parts {
      #expect((found.height, found.width, found.channels) == (6, 6, 3))
      #expect(found.name == expected.name && found.classNames == expected.classNames)
      #expect(try images(found) == images(expected))
    }
    #expect(file.source == "tiny" && file.path == path)
    #expect(file.data.normalization == TinyRun.normalization)
    #expect(file.data.preparation == Self.data.preparation)
    #expect(directory.contents == ["tiny.images"])
    // The same bytes for any number of threads, and from the file itself.
    let bytes = try contents(ofFile: path)
    #expect(try contents(ofFile: write(threads: 1)) == bytes)
    #expect(try contents(ofFile: write(file.data, "again.images")) == bytes)
    let parsed = try DataSource.parse("prepared:" + path)
    #expect("\(parsed)" == "prepared:" + path)
    #expect(try images(parsed.load().test) == images(Self.data.test))
  }

  /// docs/prepared.md, from the bytes alone.
  @Test func theLayoutIsTheDocumentedOne() throws {
    let bytes = try contents(ofFile: write())
    func number(_ offset: Int, _ size: Int) -> Int {
      bytes[offset..<offset + size].reversed().reduce(0) { $0 << 8 | Int($1) }
    }
    #expect(bytes.prefix(8) == [0x89, 0x4F, 0x43, 0x54, 0x49, 0x4D, 0x47, 0x0A])
    #expect(number(8, 4) == 1 && number(12, 4) == 0 && number(16, 8) == bytes.count)
    #expect(bytes[48..<4096].allSatisfy { $0 == 0 })
    let index = number(24, 8), text = number(32, 8)
    // 22, 9 and 3 images of 108 bytes: a page each.
    #expect(index == 4 * 4096 && text % 8 == 0 && bytes.count == index + text + 8 * 34)
    #expect(number(40, 4) == Int(Self.crc32c(bytes[index...])))
    #expect(number(44, 4) == Int(Self.crc32c(bytes[..<44])))
    let entries = index + text
    var last = [UInt8](repeating: 0, count: 108)
    try Self.data.test.copyPixels(at: 8, to: &last)
    #expect(Array(bytes[2 * 4096 + 8 * 108..<2 * 4096 + 9 * 108]) == last)
    #expect(number(entries + 30 * 8, 4) == Self.data.test.label(at: 8))
    #expect(number(entries + 30 * 8 + 4, 4) == Int(Self.crc32c(last)))
    let json = try #require(
      JSONSerialization.jsonObject(with: Data(bytes[index..<entries])) as? [String: Any])
    #expect(json["data"] as? String == "tiny" && json["width"] as? Int == 6)
    #expect((json["parts"] as? [[String: Any]])?.map { $0["pixels"] as? Int } == [4096, 8192, 12288])
  }

  /// Bit by bit.
  private static func crc32c(_ bytes: some Sequence<UInt8>) -> UInt32 {
    ~bytes.reduce(~0 as UInt32) { rest, byte in
      (0..<8).reduce(rest ^ UInt32(byte)) { rest, _ in rest & 1 == 1 ? rest >> 1 ^ 0x82F6_3B78 : rest >> 1 }
    }
  }

  @Test func checksumsAreCastagnolis() {
    #expect(Self.crc32c("123456789".utf8) == 0xE306_9283)
    var stream = RandomStream(seed: 3, "checksum")
    let bytes = (0..<300).map { _ in UInt8(stream.index(below: 256)) }
    for (start, count) in [(0, 0), (0, 300)] + (0..<40).map({ (7 - $0 % 8, $0) }) {
      let part = Array(bytes[start..<start + count])
      bytes.withUnsafeBufferPointer {
        #expect(oct_crc32c($0.baseAddress.map { $0 + start }, count) == Self.crc32c(part))
        #expect(oct_crc32c_portable($0.baseAddress.map { $0 + start }, count) == Self.crc32c(part))
      }
    }
  }

  // MARK: Damage

  private func problem(_ bytes: [UInt8]) throws -> String? {
    let path = try directory.write(bytes, as: "damaged.images")
    do {
      let data = try PreparedFile(path: path).data
      for part in [data.train, data.test] + [data.validation].compactMap({ $0 }) { _ = try images(part) }
      return nil
    } catch {
      let text = "\(error)"
      #expect(text.hasPrefix(path + ": ") && !text.contains("\n"), "\(text)")
      return String(text.dropFirst(path.count + 2))
    }
  }

  @Test func errorsNameTheOffset() throws {
    let bytes = try contents(ofFile: write())
    let size = bytes.count
    func changed(_ offset: Int, to value: UInt8? = nil) -> [UInt8] {
      var result = bytes
      result[offset] = value ?? ~bytes[offset]
      return result
    }
    #expect(try problem([]) == "the file is empty")
    #expect(
      try problem(Array("hello world".utf8))
        == "not a file of prepared images: byte 0 begins with 68 65 6c 6c 6f 20 77 6f, expected "
        + "89 4f 43 54 49 4d 47 0a")
    #expect(
      try problem(Array(bytes.prefix(30))) == "truncated: found 30 bytes, expected a header of 48")
    #expect(
      try problem(Array(bytes.dropLast())) == "truncated: found \(size - 1) bytes, expected \(size) (byte 16)"
    )
    #expect(
      try problem(bytes + [0]) == "something was added: found \(size + 1) bytes, expected \(size) (byte 16)")
    #expect(try problem(changed(8, to: 2)) == "byte 8: found version 2, expected 1")
    let header = try #require(try problem(changed(24)))
    #expect(header.hasPrefix("damaged: bytes 0 to 43 have the checksum "))
    let pixel = try #require(try problem(changed(4096 + 5 * 108 + 17)))
    #expect(pixel.hasPrefix("damaged: image 5 of tiny, bytes 4636 to 4743, has the checksum "), "\(pixel)")
    let index = try #require(try problem(changed(size - 1)))
    #expect(index.hasPrefix("damaged: the index, bytes 16384 to \(size - 1), has the checksum "), "\(index)")
  }

  /// No byte that means something can change unnoticed.
  @Test func everyByteIsChecked() throws {
    let data = TinyRun.split(TinyImages(count: 1), TinyImages(count: 1, seed: 2))
    let bytes = try contents(ofFile: write(data))
    for offset in Array(0..<48) + (4096..<4204) + (8192..<8300) + (12288..<bytes.count) {
      var changed = bytes
      changed[offset] ^= 1 << (offset % 8)
      #expect(try problem(changed) != nil, "byte \(offset)")
    }
  }

  /// The index contradicts itself or the file, under checksums that are right.
  @Test(arguments: [
    ("\"height\":6", "\"height\":600", "do not end in front of the index"),
    ("\"height\":6", "\"height\":0", "input height: expected 1 or more, found 0"),
    ("\"pixels\":8192", "\"pixels\":4096", "the pixels of test begin at byte 4096, expected 8192"),
    ("\"images\":22", "\"images\":21", "follow its text, expected 8 for each of 33 images"),
    ("\"images\":22", "\"images\":-1", "do not end in front of the index"),
    ("\"images\":22", "\"images\":9000000000000000000", "do not end in front of the index"),
    (
      "\"part\":\"test\"", "\"part\":\"train\"",
      "found the parts train, train, validation, expected train, test"
    ),
    ("\"green\",", "", "label 3 at byte"),
    ("\"mean\":[0.4,", "\"mean\":[", "mean: found 2 values, expected one for each of 3 channels"),
    ("\"cropRatio\":0.75", "\"cropRatio\":7.5", "cropRatio: expected 0.05 to 1, found 7.5"),
    ("\"width\":6", "\"depth\":6", "key \"width\" is missing"),
    ("\"width\":6", "\"width\":6,\"depth\":1", "unknown key \"depth\""),
    ("{\"channels", "[\"channels", "index at byte"),
  ])
  func contradictionsAreErrors(old: String, new: String, expected: String) throws {
    let bytes = try contents(ofFile: write())
    let index = bytes[24..<28].reversed().reduce(0) { $0 << 8 | Int($1) }
    let textSize = bytes[32..<36].reversed().reduce(0) { $0 << 8 | Int($1) }
    var text = String(decoding: bytes[index..<index + textSize], as: UTF8.self)
    let range = try #require(text.range(of: old))
    text.replaceSubrange(range, with: new)
    let tail = Array(text.utf8) + bytes[(index + textSize)...]
    let header = PreparedHeader(
      fileSize: index + tail.count, index: index, indexText: text.utf8.count,
      indexChecksum: tail.withUnsafeBytes { PreparedLayout.checksum($0) })
    let problem = try #require(try problem(header.bytes + bytes[48..<index] + tail))
    #expect(problem.contains(expected), "\(problem)")
  }

  // MARK: Writing

  @Test func whatIsNotCompleteIsNotThere() throws {
    let path = try write()
    let before = try contents(ofFile: path)
    for place in [1, 30] {
      #expect(throws: CancellationError.self) {
        try PreparedFile.write(
          TinyRun.data, source: "other", to: path,
          onProgress: { done, total in
            #expect(total == 31)
            if done >= place { throw CancellationError() }
          })
      }
    }
    #expect(try contents(ofFile: path) == before)
    #expect(directory.contents == ["tiny.images"])
    // Neither a pipe nor a device can hold it.
    #expect(throws: OctNetError.self) {
      try PreparedFile.write(TinyRun.data, source: "tiny", to: directory("none/tiny.images"))
    }
    #expect(directory.contents == ["tiny.images"])
  }

  /// Left out where that is asked for, and told; else the file is not there.
  @Test func damagedImagesAreLeftOutOrAnError() throws {
    var bytes = try contents(ofFile: write())
    bytes[4096 + 3 * 108] ^= 1
    let path = try directory.write(bytes, as: "damaged.images")
    let problem = "damaged: image 3 of tiny, bytes 4420 to 4527, has the checksum"
    let strict = try PreparedFile(path: path).data
    let error = error { try PreparedFile.write(strict, source: "tiny", to: directory("no.images")) }
    #expect("\(try #require(error))".hasPrefix("\(path): \(problem)"))
    var told: [String] = []
    let tolerant = try PreparedFile(path: path, skipsDamaged: true).data
    try PreparedFile.write(tolerant, source: "tiny", to: directory("rest.images"), threads: 2) {
      told.append("\($0)")
    }
    #expect(told.count == 1 && told[0].hasPrefix("\(path): \(problem)"))
    let rest = try images(PreparedFile(path: directory("rest.images")).data.train)
    var expected = try images(Self.data.train)
    expected.remove(at: 3)
    #expect(rest == expected)
    #expect(directory.contents == ["damaged.images", "rest.images", "tiny.images"])
  }

  /// Random crops are parts of the images in the file, not of what was resized before.
  @Test func cropsArePartsOfTheFilesImages() throws {
    let data = try PreparedFile(path: write()).data
    let crops = Augmentation(
      cropPadding: 0, horizontalFlip: false, randomResizedCrop: RandomResizedCrop(scale: 0.3...0.6))
    let small = try data.train.resized(to: 4)
    #expect(small.hasPhotographs && data.train.hasPhotographs)
    let transform = TrainingTransform(
      crops, height: 4, width: 4, normalization: TinyRun.normalization, seed: 5)
    let loader = BatchLoader(
      dataset: small, batchSize: 22, normalization: TinyRun.normalization, augmentation: crops, shuffleSeed: 5
    )
    try loader.forEachBatch(epoch: 1) { batch in
      for place in 0..<batch.count {
        let sample = batch.samples[place]
        var pixels = [UInt8](repeating: 0, count: 108), expected = [Float](repeating: 0, count: 48)
        try TinyRun.data.train.copyPixels(at: sample, to: &pixels)
        transform(
          PixelView(pixels, width: 6, height: 6), epoch: 1, sample: sample, to: &expected)
        #expect(Array(UnsafeBufferPointer(start: batch.images + place * 48, count: 48)) == expected)
      }
    }
  }

  @Test func imagesOfOneSizeOnly() throws {
    struct Wide: Dataset {
      let name = "wide", count = 1, height = 6, width = 7, channels = 3
      let classNames = TinyRun.data.train.classNames
      func label(at index: Int) -> Int { 0 }
      func copyPixels(at index: Int, to destination: UnsafeMutablePointer<UInt8>) {}
    }
    #expect(
      throws: OctNetError.configuration(
        key: "data", "images of \"wide\" are 6×7×3, expected 6×6×3 as in training")
    ) { try write(TinyRun.split(TinyImages(count: 2), Wide())) }
    #expect(directory.contents.isEmpty)
  }

  /// Training from the file is training from memory, to the bit.
  @Test func trainingDoesNotSeeTheDifference() throws {
    let file = try DataSource.parse("prepared:" + write(TinyRun.data)).load()
    let bits = try [TinyRun.data, file].map { data in
      let network = try TinyRun.network()
      var losses: [UInt64] = []
      _ = try Trainer(network: network, configuration: TinyRun.configuration(epochs: 2), data: data) {
        if case .step(let report) = $0 { losses.append(report.loss.bitPattern) }
      }.run()
      return network.bits.merging(["losses": losses]) { $1 }
    }
    #expect(bits[0] == bits[1])
  }
}

/// Limits, and other sizes.
struct DatasetChangeTests {
  private func set(_ labels: [Int], size: Int = 2) -> ImageSet {
    ImageSet(
      name: "set", height: size, width: size, channels: 1, classNames: ["a", "b", "c"],
      pixels: labels.indices.flatMap { index in (0..<size * size).map { UInt8((index * 40 + $0 * 9) % 256) }
      },
      labels: labels)
  }

  private func labels(_ dataset: any Dataset) -> [Int] { (0..<dataset.count).map(dataset.label(at:)) }

  @Test func limitsTakeOfEachClassWhereImagesAreSorted() {
    let sorted = set([0, 0, 0, 0, 1, 1, 2, 2])
    #expect(labels(sorted.limited(to: 4)) == [0, 0, 1, 2])
    #expect(labels(sorted.limited(to: 3)) == [0, 1, 2])
    #expect(labels(sorted.limited(to: 8)) == [0, 0, 0, 0, 1, 1, 2, 2])
    #expect(labels(sorted.limited(to: nil)) == [0, 0, 0, 0, 1, 1, 2, 2])
    #expect(labels(set([0, 0, 1, 0, 2, 2]).limited(to: 4)) == [0, 0, 1, 0])
    #expect(ClassShares.first(4, of: [2, 0, 0, 1, 0, 0, 1, 2]) == [0, 1, 2, 3])
  }

  @Test func anotherSizeIsThatOfEvaluation() throws {
    let base = set([0, 1, 2], size: 10)
    #expect(try base.resized(to: 10) is ImageSet)
    let settings = EvaluationSettings(cropRatio: 0.8, interpolation: .bicubic)
    let resized = try base.resized(to: 8, settings)
    #expect((resized.height, resized.width, resized.channels) == (8, 8, 1))
    #expect(labels(resized) == [0, 1, 2] && resized.classNames == base.classNames)
    let transform = EvaluationTransform(
      settings, height: 8, width: 8, normalization: Normalization(mean: [0], std: [1]))
    for index in 0..<3 {
      var (source, expected, found) = (
        [UInt8](repeating: 0, count: 100), [UInt8](repeating: 0, count: 64),
        [UInt8](repeating: 0, count: 64)
      )
      base.copyPixels(at: index, to: &source)
      transform.pixels(PixelView(source, width: 10, height: 10, channels: 1), to: &expected)
      try resized.copyPixels(at: index, to: &found)
      // 10 / 0.8 is the image's own size: its middle.
      #expect(found == expected && found[0] == source[11])
    }
    let two = ImageSet(
      name: "two", height: 1, width: 1, channels: 2, classNames: ["a"], pixels: [1, 2], labels: [0])
    #expect(
      throws: OctNetError.configuration(
        key: "image size",
        "images of \"two\" are 1×1×2, and only pixels of 1 or 3 channels can be resized to 4×4")
    ) { try two.resized(to: 4) }
  }
}
