#if Images
  import OctNet

  /// The files of a data set: to learn from, to choose the best epoch by, and to be measured on.
  struct ImageHalves {
    /// `nil` where there are none and none are needed.
    var train: ClassListing?
    var validation: ClassListing?
    var test: ClassListing

    private init(train: ClassListing? = nil, test: ClassListing) { (self.train, self.test) = (train, test) }

    /// - Parameter testShare: of each class, for tests where there are no images for them.
    /// - Throws: as `FolderLayout` and `ClassListing`.
    init(folder directory: FilePath, needsTrain: Bool, testShare: Double?) throws(OctNetError) {
      let layout = try FolderLayout(directory, needsTrain: needsTrain, takesTest: testShare != nil)
      if let folder = layout.train { train = try ClassListing(folder) }
      if let folder = layout.test {
        test = try ClassListing(folder, known: train?.classes)
      } else {
        test = try Self.take(testShare, from: &train, directory)
      }
      if needsTrain, let folder = layout.validation {
        validation = try ClassListing(folder, known: train?.classes)
      }
    }

    /// - Throws: as `ImageList`.
    init(list path: FilePath, needsTrain: Bool, testShare: Double?) throws(OctNetError) {
      let list = try ImageList(path)
      guard list.hasSplits || testShare != nil else {
        guard !needsTrain else {
          throw OctNetError.file(
            path: "\(path)",
            "expected a column split that says train, val or test, to train; found "
              + list.columns.joined(separator: ", ") + "; or say --test-share, such as 0.1")
        }
        self.init(test: try list.listing(of: nil, known: nil))
        return
      }
      guard list.hasSplits else {
        var train: ClassListing? = try list.listing(of: nil, known: nil)
        let test = try Self.take(testShare, from: &train, path)
        self.init(train: train, test: test)
        return
      }
      try self.init(
        has: list.has, listing: list.listing, missing: list.missing, path, needsTrain: needsTrain,
        testShare: testShare)
    }

    /// - Throws: as `TarShards`.
    init(shards: TarShards, _ pattern: FilePath, needsTrain: Bool, testShare: Double?) throws(OctNetError) {
      // Of one kind only, they are what is asked for.
      if !needsTrain, testShare == nil, !shards.has(.test), !shards.has(.validation) {
        self.init(test: try shards.listing(of: nil, known: nil))
        return
      }
      try self.init(
        has: shards.has, listing: shards.listing,
        missing: { .file(path: "\(pattern)", "no shard has \($0) in its name, or is left for it") },
        pattern, needsTrain: needsTrain, testShare: testShare)
    }

    /// Of what says which images are which.
    private init(
      has: (ImageList.Split) -> Bool,
      listing: (ImageList.Split?, [FilePath]?) throws(OctNetError) -> ClassListing,
      missing: (String) -> OctNetError, _ path: FilePath, needsTrain: Bool, testShare: Double?
    ) throws(OctNetError) {
      if has(.train) { train = try listing(.train, nil) }
      guard train != nil || !needsTrain else { throw missing("train") }
      let known = train?.classes
      if has(.test) || has(.validation) {
        test = try listing(has(.test) ? .test : .validation, known)
      } else if testShare != nil {
        test = try Self.take(testShare, from: &train, path)
      } else {
        throw missing("test or val")
      }
      if needsTrain, has(.test), has(.validation) { validation = try listing(.validation, known) }
    }

    /// - Throws: `OctNetError.configuration` where nothing would be taken.
    private static func take(
      _ share: Double?, from train: inout ClassListing?, _ path: FilePath
    ) throws(OctNetError) -> ClassListing {
      guard let share, var rest = train else {
        throw OctNetError.file(path: "\(path)", "no images to take test images from")
      }
      let test = rest.taking(share)
      train = rest
      guard !test.files.isEmpty else {
        throw OctNetError.configuration(
          key: "testShare", "\(path) has one image of each class, of which none can be taken for tests")
      }
      return test
    }
  }
#endif
