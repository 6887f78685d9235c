#if Images
  import OctNet

  /// The files of a data set: to learn from, to choose the best epoch by, and to be measured on.
  struct ImageHalves {
    /// `nil` where there are none and none are needed.
    var train: ClassListing?
    var validation: ClassListing?
    var test: ClassListing

    /// - Throws: as `FolderLayout` and `ClassListing`.
    init(folder directory: FilePath, needsTrain: Bool) throws(OctNetError) {
      let layout = try FolderLayout(directory, needsTrain: needsTrain)
      if let folder = layout.train { train = try ClassListing(folder) }
      test = try ClassListing(layout.test, known: train?.classes)
      if needsTrain, let folder = layout.validation {
        validation = try ClassListing(folder, known: train?.classes)
      }
    }

    /// - Throws: as `ImageList`.
    init(list path: FilePath, needsTrain: Bool) throws(OctNetError) {
      let list = try ImageList(path)
      guard list.hasSplits else {
        guard !needsTrain else {
          throw OctNetError.file(
            path: "\(path)",
            "expected a column split that says train, val or test, to train; found "
              + list.columns.joined(separator: ", "))
        }
        test = try list.listing(of: nil, known: nil)
        return
      }
      if list.has(.train) { train = try list.listing(of: .train, known: nil) }
      guard train != nil || !needsTrain else { throw list.missing("train") }
      let known = train?.classes
      guard list.has(.test) || list.has(.validation) else { throw list.missing("test or val") }
      test = try list.listing(of: list.has(.test) ? .test : .validation, known: known)
      if needsTrain, list.has(.test), list.has(.validation) {
        validation = try list.listing(of: .validation, known: known)
      }
    }
  }
#endif
