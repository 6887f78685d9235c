#if Images
  import Foundation
  import OctNet

  /// Images in class folders: DIR/train/CLASS/*, and DIR/test or DIR/val alike (torchvision's `ImageFolder`).
  ///
  /// The class folders sorted by name give the labels. Files that do not end in .png, .jpg or .jpeg are ignored.
  public enum ImageFolder {
    /// Bytes of all decoded images together.
    static let memoryLimit = 4 << 30
    private static let extensions: Set = ["png", "jpg", "jpeg"]

    /// Reads and prepares all images; see `RGBImage.prepared(size:shorterSide:)`.
    ///
    /// - Parameter size: of the images afterwards; nil takes that of the first one where it is square and at most 256.
    /// - Throws: `OctNetError.file` that names the folder or file: missing, without images, damaged; `.configuration`
    ///   for a size that must be given.
    public static func load(directory: String, size: Int?) throws(OctNetError) -> DataSplit {
      let testName = exists(directory + "/test") ? "test" : "val"
      let train = try Listing(directory + "/train"), test = try Listing(directory + "/" + testName)
      guard train.classNames == test.classNames else {
        let differing = Set(train.classNames).symmetricDifference(test.classNames).sorted()
        throw OctNetError.file(
          path: directory,
          "train and \(testName) have different classes: \(differing.joined(separator: ", "))")
      }
      var edge = size ?? 0
      if size == nil { edge = try Self.size(of: train.files[0].path) }
      let images = try train.images(size: edge)
      return DataSplit(
        train: images, test: try test.images(size: edge), normalization: Normalization(measuring: images))
    }

    private static func size(of path: String) throws(OctNetError) -> Int {
      let first = try RGBImage(path: path)
      guard first.width == first.height, first.width <= 256 else {
        throw OctNetError.configuration(
          key: "image size",
          "the first image, \(path), is \(first.width)×\(first.height); say --image-size, such as 224")
      }
      return first.width
    }

    private static func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

    /// The files of one half and their labels, sorted.
    private struct Listing {
      let directory: String
      let classNames: [String]
      let files: [(path: String, label: Int)]

      init(_ directory: String) throws(OctNetError) {
        self.directory = directory
        classNames = try Self.names(in: directory).filter { Self.isDirectory(directory + "/" + $0) }
        guard !classNames.isEmpty else {
          throw OctNetError.file(path: directory, "expected a folder for each class, found none")
        }
        var files: [(path: String, label: Int)] = []
        for (label, name) in classNames.enumerated() {
          let folder = directory + "/" + name
          let images = try Self.names(in: folder).filter {
            extensions.contains(($0 as NSString).pathExtension.lowercased())
          }
          guard !images.isEmpty else {
            throw OctNetError.file(
              path: folder, "expected .png, .jpg or .jpeg files of the class, found none")
          }
          files += images.map { (folder + "/" + $0, label) }
        }
        self.files = files
      }

      private static func isDirectory(_ path: String) -> Bool {
        var isDirectory: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory)
          && isDirectory.boolValue
      }

      /// Without hidden ones.
      private static func names(in directory: String) throws(OctNetError) -> [String] {
        do {
          return try FileManager.default.contentsOfDirectory(atPath: directory)
            .filter { !$0.hasPrefix(".") }.sorted()
        } catch { throw OctNetError.file(path: directory, "cannot list the folder") }
      }

      func images(size: Int) throws(OctNetError) -> ImageSet {
        let bytes = files.count * size * size * 3
        guard bytes <= memoryLimit else {
          throw OctNetError.file(
            path: directory,
            "\(files.count) images of \(size)×\(size) take \(bytes) bytes, expected at most \(memoryLimit)")
        }
        var pixels: [UInt8] = []
        pixels.reserveCapacity(bytes)
        for file in files { pixels += try RGBImage(path: file.path).prepared(size: size).pixels }
        return ImageSet(
          name: directory, height: size, width: size, channels: 3, classNames: classNames, pixels: pixels,
          labels: files.map(\.label))
      }
    }
  }
#endif
