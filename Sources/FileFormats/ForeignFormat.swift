/// Says what a file is that should have been something else, from its first bytes.
enum ForeignFormat {
  /// A name for what `bytes` look like, and what to do about it; nil if nothing is recognised.
  static func recognise(_ bytes: [UInt8]) -> (name: String, remedy: String)? {
    if bytes.isEmpty { return ("an empty file", "Make or download it again.") }
    let convert = "Convert it in Python: safetensors.torch.save_file(state_dict, \"weights.safetensors\")."
    let signatures: [([UInt8], String, String)] = [
      ([0x50, 0x4b, 0x03, 0x04], "a zip archive, as PyTorch's .pt and .pth files are", convert),
      ([0x89, 0x48, 0x44, 0x46], "an HDF5 file", convert),
      ([0x1f, 0x8b], "a gzip file", "Unpack it with gunzip first."),
      ([0x93] + Array("NUMPY".utf8), "a NumPy .npy file", "Give it a name that ends in .npy."),
      (Array("version https://git-lfs".utf8), "a Git LFS pointer", "Fetch the real file with git lfs pull."),
    ]
    for (start, name, remedy) in signatures where bytes.starts(with: start) { return (name, remedy) }
    // PROTO opcode and version of Python's pickles.
    if bytes.count > 1, bytes[0] == 0x80, 2...5 ~= bytes[1] {
      return ("a Python pickle, as old PyTorch files are", convert)
    }
    let text = String(decoding: bytes.prefix(256), as: UTF8.self).lowercased()
    let start = text.drop { $0.isWhitespace || $0 == "\u{feff}" }
    if ["<!doctype", "<html", "<head", "<?xml"].contains(where: { start.hasPrefix($0) }) {
      return ("a web page", "Its link is dead or needs a login: download the file again.")
    }
    return nil
  }
}
