import Testing

import OctNet

struct IDXTests {
  static func file(type: UInt8 = 8, sizes: [UInt32], values: [UInt8]) -> [UInt8] {
    [0, 0, type, UInt8(sizes.count)]
      + sizes.flatMap { size in [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: size >> $0) } } + values
  }

  static let trainImages = "train-images-idx3-ubyte"

  /// Four training images of 2 × 3 pixels with labels 0, 2, 1, 2 and one for testing, with label 1.
  func make(in directory: TemporaryDirectory) throws {
    _ = try directory.write(
      Self.file(sizes: [4, 2, 3], values: (0..<24).map { 10 * UInt8($0) }), as: Self.trainImages)
    _ = try directory.write(Self.file(sizes: [4], values: [0, 2, 1, 2]), as: "train-labels-idx1-ubyte")
    _ = try directory.write(
      Self.file(sizes: [1, 2, 3], values: [9, 8, 7, 6, 5, 4]), as: "t10k-images.idx3-ubyte")
    _ = try directory.write(Self.file(sizes: [1], values: [1]), as: "t10k-labels.idx1-ubyte")
  }

  func expectProblem(
    _ problem: String, in path: String, of directory: TemporaryDirectory,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(throws: OctNetError.file(path: path, problem), sourceLocation: sourceLocation) {
      try DataSource.idx(directory: directory.path).load()
    }
  }

  @Test func readsImagesAndLabels() throws {
    let directory = try TemporaryDirectory()
    try make(in: directory)
    let split = try DataSource.idx(directory: directory.path).load()
    #expect(split.train.count == 4 && split.test.count == 1)
    #expect(split.train.height == 2 && split.train.width == 3 && split.train.channels == 1)
    #expect((0..<4).map(split.train.label) == [0, 2, 1, 2] && split.test.label(at: 0) == 1)
    #expect(split.train.classNames == ["0", "1", "2"] && split.test.classNames == ["0", "1", "2"])
    var image = [UInt8](repeating: 0, count: 6)
    try split.train.copyPixels(at: 2, to: &image)
    #expect(image == [120, 130, 140, 150, 160, 170])
    try split.test.copyPixels(at: 0, to: &image)
    #expect(image == [9, 8, 7, 6, 5, 4])
    // Of 0, 10 … 230: mean 115, variance 100 · (24² − 1) / 12.
    #expect(abs(split.normalization.mean[0] - 115 / 255) < 1e-6)
    #expect(abs(split.normalization.std[0] - Float(4791.6667).squareRoot() / 255) < 1e-6)
  }

  @Test func rejectsOtherHeaders() throws {
    let directory = try TemporaryDirectory()
    try make(in: directory)
    let path = directory(Self.trainImages)
    let cases: [([UInt8], String)] = [
      ([], "not an IDX file: starts with nothing, expected 00 00 08 03"),
      ([0x89, 0x50, 0x4e, 0x47, 0], "not an IDX file: starts with 89 50 4e 47, expected 00 00 08 03"),
      (
        Self.file(type: 0x0d, sizes: [1, 1, 1], values: [0]),
        "found element type 0x0d, expected 0x08 (unsigned bytes)"
      ),
      (Self.file(sizes: [1, 1, 1, 1], values: [0]), "found an array of rank 4, expected rank 3"),
      ([0, 0, 8, 3, 0, 0, 0, 1], "found 8 bytes, expected a header of 16"),
      (Self.file(sizes: [4, 0, 3], values: []), "found sizes 4×0×3, expected every size above 0"),
      (
        Self.file(sizes: [4, 2, 3], values: Array(repeating: 0, count: 20)),
        "found 20 bytes after the header (3 records), expected 24 for the sizes 4×2×3 in it"
      ),
      (
        Self.file(sizes: [4, 2, 3], values: Array(repeating: 0, count: 25)),
        "found 25 bytes after the header (4 records), expected 24 for the sizes 4×2×3 in it"
      ),
      (
        Self.file(sizes: [.max, .max, .max], values: [1]),
        "found 1 byte after the header (0 records), expected more than any file holds "
          + "for the sizes 4294967295×4294967295×4294967295 in it"
      ),
    ]
    for (bytes, problem) in cases {
      _ = try directory.write(bytes, as: Self.trainImages)
      expectProblem(problem, in: path, of: directory)
    }
  }

  @Test func filesMustFitEachOther() throws {
    let directory = try TemporaryDirectory()
    try make(in: directory)
    let labels = try directory.write(Self.file(sizes: [1], values: [3]), as: "t10k-labels.idx1-ubyte")
    expectProblem("label 3 at byte 8 (record 0), expected 0 to 2 as in training", in: labels, of: directory)
    _ = try directory.write(Self.file(sizes: [2], values: [0, 1]), as: "t10k-labels.idx1-ubyte")
    expectProblem("found 2 labels, expected 1, one for each image", in: labels, of: directory)
    _ = try directory.write(Self.file(sizes: [1], values: [0]), as: "t10k-labels.idx1-ubyte")
    let images = try directory.write(
      Self.file(sizes: [1, 3, 2], values: [9, 8, 7, 6, 5, 4]), as: "t10k-images.idx3-ubyte")
    expectProblem("found images of 3×2, expected 2×3 as in training", in: images, of: directory)
  }
}
