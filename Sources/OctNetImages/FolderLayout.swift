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
      let named = Self.folder("train", entries, of: directory)
      let test = Self.folder("test", entries, of: directory)
      let validation = try Self.validation(entries, of: directory)
      if test == nil, takesTest, validation == nil {
        train = named ?? directory
        (self.test, self.validation) = (nil, nil)
        return
      }
      train = named
      guard let last = test ?? validation, train != nil || !needsTrain else {
        let expected =
          needsTrain
          ? "train/CLASS/*.jpg and test/CLASS/*.jpg (or val/CLASS)" : "test/CLASS/*.jpg (or val/CLASS)"
        throw OctNetError.file(
          path: "\(directory)",
          "expected \(expected) in it, found \(Self.describe(entries, of: directory))"
            + (needsTrain && test == nil && validation == nil
              ? "; or say --test-share, such as 0.1, to take test images from those that are there" : ""))
      }
      self.test = last
      self.validation = test == nil ? nil : validation
    }

    private static func folder(
      _ name: String, _ entries: [DirectoryListing.Entry], of directory: FilePath
    ) -> FilePath? {
      let name = FilePath(name)
      return entries.contains { $0.name == name && $0.isDirectory } ? directory.appending(name) : nil
    }

    /// The one of DIR/val and its likes that is there.
    private static func validation(
      _ entries: [DirectoryListing.Entry], of directory: FilePath
    ) throws(OctNetError) -> FilePath? {
      let found = ["val", "valid", "validation"].compactMap { folder($0, entries, of: directory) }
      guard found.count < 2 else {
        throw OctNetError.file(
          path: "\(directory)", "expected one validation set, found \(ClassListing.list(found))")
      }
      return found.first
    }

    /// DIR/test, else DIR/val and its likes, else DIR.
    /// - Throws: `OctNetError.file` for a folder that cannot be read, or with several of its likes.
    static func testFolder(of directory: FilePath) throws(OctNetError) -> FilePath {
      let entries = try DirectoryListing(directory).entries
      let validation = try validation(entries, of: directory)
      return folder("test", entries, of: directory) ?? validation ?? directory
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
