#if Images
  import OctNet

  /// The halves of a data set in a folder: DIR/train, DIR/test, and DIR/val, DIR/valid or DIR/validation.
  ///
  /// With only one of the last two it is the test set. With both, training chooses its best epoch on the validation set.
  /// Where test images are taken from training's, DIR may also hold the folders of classes themselves.
  struct FolderLayout {
    let train: FilePath?
    let validation: FilePath?
    /// `nil` where there are none.
    let test: FilePath?

    /// - Throws: `OctNetError.file` that shows the expected layout and what was found.
    init(_ directory: FilePath, needsTrain: Bool, takesTest: Bool = false) throws(OctNetError) {
      let entries = try DirectoryListing(directory).entries
      func folder(_ name: String) -> FilePath? {
        let name = FilePath(name)
        return entries.contains { $0.name == name && $0.isDirectory } ? directory.appending(name) : nil
      }
      let named = folder("train")
      let validations = ["val", "valid", "validation"].compactMap(folder)
      let test = folder("test")
      guard validations.count < 2 else {
        throw OctNetError.file(
          path: "\(directory)", "expected one validation set, found \(ClassListing.list(validations))")
      }
      if test == nil, takesTest, validations.isEmpty {
        train = named ?? directory
        (self.test, validation) = (nil, nil)
        return
      }
      train = named
      guard let last = test ?? validations.first, train != nil || !needsTrain else {
        let expected =
          needsTrain
          ? "train/CLASS/*.jpg and test/CLASS/*.jpg (or val/CLASS)" : "test/CLASS/*.jpg (or val/CLASS)"
        throw OctNetError.file(
          path: "\(directory)",
          "expected \(expected) in it, found \(Self.describe(entries, of: directory))"
            + (needsTrain && test == nil && validations.isEmpty
              ? "; or say --test-share, such as 0.1, to take test images from those that are there" : ""))
      }
      self.test = last
      validation = test == nil ? nil : validations.first
    }

    /// DIR/test, else DIR/val and its likes, else DIR.
    /// - Throws: `OctNetError.file` for a folder that cannot be read.
    static func testFolder(of directory: FilePath) throws(OctNetError) -> FilePath {
      let entries = try DirectoryListing(directory).entries
      let name = ["test", "val", "valid", "validation"].map { FilePath($0) }.first { name in
        entries.contains { $0.name == name && $0.isDirectory }
      }
      return name.map(directory.appending) ?? directory
    }

    /// "cat/, dog/, labels.csv and 2 more".
    private static func describe(_ entries: [DirectoryListing.Entry], of directory: FilePath) -> String {
      guard !entries.isEmpty else { return "nothing" }
      let names = entries.map { entry in
        let isDangling = !entry.isDirectory && directory.appending(entry.name).isDanglingLink
        let mark = entry.isDirectory ? "/" : isDangling ? " (a link to what does not exist)" : ""
        return FilePath(bytes: entry.name.bytes + mark.utf8)
      }
      return ClassListing.list(names)
    }
  }
#endif
