import OctNetSupport

/// Images that somebody wants to know something of, each with a name by which it is found and, where it is known, what it shows.
public struct NamedImages: Sendable {
  /// In order; those without a label have any.
  public let images: any Dataset
  private let nameOf: @Sendable (Int) -> String
  private let labelOf: @Sendable (Int) -> String?

  /// Labelled images without names: they are called by their number, from 0 on.
  public init(_ images: any Dataset) {
    self.init(images) {
      "\($0)"
    } label: {
      images.classNames[images.label(at: $0)]
    }
  }

  /// - Parameters:
  ///   - images: all views of an image one after the other.
  ///   - name: of an image, whatever the number of its views.
  ///   - label: likewise; `nil` where nothing says it.
  package init(
    _ images: any Dataset, name: @escaping @Sendable (Int) -> String,
    label: @escaping @Sendable (Int) -> String?
  ) {
    (self.images, nameOf, labelOf) = (images, name, label)
  }

  /// By which an image is found: a file, a place in a tar, or a number.
  public func name(at index: Int) -> String { nameOf(index) }

  /// The name of an image's class.
  public func label(at index: Int) -> String? { labelOf(index) }
}

extension Dataset {
  /// The same images for a network of these classes, whatever their own are.
  package func unscored(classNames: [String]) -> any Dataset {
    UnscoredImages(base: self, classNames: classNames)
  }
}

/// Images whose labels nobody asks for.
private struct UnscoredImages: WrappedDataset {
  var base: any Dataset
  let classNames: [String]

  func label(at index: Int) -> Int { 0 }

  func place(of index: Int) -> Int { index }
}
